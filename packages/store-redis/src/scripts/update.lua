-- Changes durable sessions.
--
-- ARGV  for each: epoch, changes
-- Gives for each: `ok`, `fenced` or `unknown`; the session's id, cursors that moved, inbound messages removed
local results = {}
for change = 1, changes do
  local _, session = nextChange(change)
  local epoch, list = take(), takeChanges()
  local head = call('HMGET', session, 'e', 'i')
  if not head[2] then
    results[change] = { 'unknown' }
  elseif head[1] ~= epoch then
    results[change] = { 'fenced', head[1] }
  else
    local moved, removed = applyChanges(session, list)
    results[change] = { 'ok', head[2], moved, removed }
  end
end
return results
