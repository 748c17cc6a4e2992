-- Records inbound QoS 2 messages that are in the logs.
--
-- ARGV  for each: epoch, packet identifier, producer number, inbound message (number, shards of its logs, digest)
-- Gives for each: 1, or 0 when the claim has moved meanwhile
local results = {}
for change = 1, changes do
  local _, session = nextChange(change)
  local epoch, packetId, number, inbound = take(), take(), take(), take()
  local head = call('HMGET', session, 'e', 'i', 'n')
  if head[1] ~= epoch or not head[2] then
    results[change] = { 0 }
  else
    call('HSET', session, 'i:' .. packetId, inbound)
    if tonumber(number) > tonumber(head[3] or 0) then call('HSET', session, 'n', number) end
    results[change] = { 1 }
  end
end
return results
