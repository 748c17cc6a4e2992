-- Creates, changes and removes subscriptions of durable sessions, and says what their cursors need in the logs. The need stays written in the
-- session until cursor-finish.lua is told that it is met, so that a later claim can meet it when the caller cannot.
--
-- ARGV  for each: epoch, count, then for each filter: filter, kind (durable; stored: with QoS 0, a cursor stays; leaving: of a group, with QoS 0;
--       gone; ended: the cursor goes if its subscription has QoS 0), subscription
-- Gives for each: `ok`, `fenced` or `unknown`; the session's id; then per filter what its cursor field holds: A… it stands there, P to
--       be added, R to be set to the end of the log whatever is there, G to be removed; empty: no cursor
local results = {}
for change = 1, changes do
  local _, session = nextChange(change)
  local epoch, count = take(), tonumber(take())
  local head = call('HMGET', session, 'e', 'i')
  if not head[2] or head[1] ~= epoch then
    at = at + 3 * count
    results[change] = head[2] and { 'fenced', head[1] } or { 'unknown' }
  else
    local result = { 'ok', head[2] }
    for i = 1, count do
      local filter, kind, subscription = take(), take(), take()
      local field = 'k:' .. filter
      local found = call('HGET', session, field)
      local state = found or ''
      if kind == 'gone' then
        call('HDEL', session, 's:' .. filter)
      elseif kind ~= 'ended' then
        call('HSET', session, 's:' .. filter, subscription)
      end
      if kind == 'gone' or kind == 'leaving' then
        if found then state = 'G' end
      elseif kind == 'ended' then
        local options = call('HGET', session, 's:' .. filter)
        state = (found and options and string.byte(options) % 4 == 0) and 'G' or ''
      elseif kind == 'durable' and not found then
        state = 'P'
      elseif kind == 'durable' and found == 'G' then
        state = 'R'
      end
      if found ~= state and state ~= '' then call('HSET', session, field, state) end
      result[i + 2] = state
    end
    results[change] = result
  end
end
return results
