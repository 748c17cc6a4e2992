-- Keeps or removes wills of connected clients.
--
-- ARGV  for each: epoch, owner, 1 to keep one, delay in seconds, record
-- Gives for each: `ok` or `fenced`
local results = {}
for change = 1, changes do
  local keys, session, client = nextChange(change)
  local epoch, owner, keep, delaySeconds, record = tonumber(take()), take(), take(), tonumber(take()), take()
  local claimed = call('HGET', session, 'e')
  if claimed and tonumber(claimed) > epoch then
    results[change] = { 'fenced', claimed }
  else
    local found = call('HGET', keys.wills, client)
    if found then removeWill(keys, client, found) end
    if keep == '1' then
      call('HSET', keys.wills, client, pack('>dI4dI2', epoch, delaySeconds, math.huge, #owner) .. owner .. record)
      call('ZADD', keys.owned, 0, ownedMember(owner, 'w', client))
    end
    results[change] = { 'ok' }
  end
end
return results
