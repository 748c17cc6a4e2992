-- Hands out wills that are due; each is due again later unless it is removed.
--
-- ARGV  for each: now, when it is due again
-- Gives for each: will, or false if it is not due any more
local results = {}
for change = 1, changes do
  local keys, _, client = nextChange(change)
  local now, again = tonumber(take()), take()
  local dueAt = tonumber(call('ZSCORE', keys.willdue, client) or math.huge)
  local will = dueAt <= now and call('HGET', keys.wills, client)
  if will then call('ZADD', keys.willdue, again, client) end
  results[change] = { will }
end
return results
