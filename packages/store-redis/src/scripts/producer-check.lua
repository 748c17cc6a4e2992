-- Looks up the sessions of producers before their messages go to logs. The mark `t` makes the session's end forget its numbers.
--
-- ARGV  for each: epoch, or empty when the message names no inbound packet
-- Gives for each: 1 to go on, 0 when the claim has moved or nothing is stored; the session's id or empty
local results = {}
for change = 1, changes do
  local _, session = nextChange(change)
  local epoch = take()
  local head = call('HMGET', session, 'e', 'i', 't')
  local id = head[2] or ''
  if epoch ~= '' and (id == '' or head[1] ~= epoch) then
    results[change] = { 0, id }
  else
    if id ~= '' and not head[3] then call('HSET', session, 't', '1') end
    results[change] = { 1, id }
  end
end
return results
