-- Ends sessions of any owner, with their claims. A will that waits for its delay is due at once [MQTT-3.1.2-8].
--
-- ARGV  for each: now, 1 to end it only if it is due
-- Gives for each: 1 if it ended, job or false
local results = {}
for change = 1, changes do
  local keys, session, client = nextChange(change)
  local now, due = tonumber(take()), take() == '1'
  local head = call('HMGET', session, 'o', 'i', 'a')
  local expiresAt = tonumber(head[3] or 0)
  if not head[2] or (due and (expiresAt == 0 or expiresAt > now)) then
    results[change] = { 0, false }
  else
    local job = endSession(keys, session, client, head[2], head[1])
    local will = call('HGET', keys.wills, client)
    if will then
      local _, _, dueAt = readWill(will)
      if dueAt < math.huge and dueAt > now then scheduleWill(keys, client, will, now) end
    end
    results[change] = { 1, job }
  end
end
return results
