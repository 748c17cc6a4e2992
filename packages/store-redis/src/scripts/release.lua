-- Releases claims.
--
-- ARGV  for each: epoch, now, changes
-- Gives for each: done (0: not the claim's epoch, no effect), session's id or empty, cursors that moved, inbound messages removed, job or false
local results = {}
for change = 1, changes do
  local keys, session, client = nextChange(change)
  local epoch, now, list = take(), tonumber(take()), takeChanges()
  local head = call('HMGET', session, 'e', 'o', 'i', 'x')
  local owner, id = head[2], head[3]
  if head[1] ~= epoch or owner == '' then
    results[change] = { 0 }
  else
    local moved, removed = {}, {}
    if id then moved, removed = applyChanges(session, list) end
    local expirySeconds = tonumber((id and list.expiry ~= '') and list.expiry or head[4] or 0)
    local job = disconnect(keys, session, client, id, owner, expirySeconds, now)
    results[change] = { 1, id or '', moved, removed, job }
  end
end
return results
