-- Connections ended without DISCONNECT: their wills become due.
--
-- ARGV  for each: epoch, due time
-- Gives for each: `ok` or `fenced`
local results = {}
for change = 1, changes do
  local keys, session, client = nextChange(change)
  local epoch, dueAt = tonumber(take()), tonumber(take())
  local claimed = call('HGET', session, 'e')
  if claimed and tonumber(claimed) > epoch then
    results[change] = { 'fenced', claimed }
  else
    local will = call('HGET', keys.wills, client)
    if will and readWill(will) == epoch then scheduleWill(keys, client, will, dueAt) end
    results[change] = { 'ok' }
  end
end
return results
