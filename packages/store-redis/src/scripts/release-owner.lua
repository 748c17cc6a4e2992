-- Voids what a dead owner holds of these clients: claims, and wills of the connected.
--
-- ARGV  for each: owner, now
-- Gives for each: job or false
local results = {}
for change = 1, changes do
  local keys, session, client = nextChange(change)
  local owner, now = take(), tonumber(take())
  local job = false
  local head = call('HMGET', session, 'o', 'i', 'x')
  local delayMax = head[2] and tonumber(head[3]) or 0
  if head[1] == owner then job = disconnect(keys, session, client, head[2], owner, delayMax, now) end
  local will = call('HGET', keys.wills, client)
  if will then
    local _, delaySeconds, dueAt, holder = readWill(will)
    -- No later than the end of the session [MQTT-3.1.3-9].
    if holder == owner and dueAt == math.huge then
      scheduleWill(keys, client, will, now + math.min(delaySeconds, delayMax) * 1000)
    end
  end
  results[change] = { job }
end
return results
