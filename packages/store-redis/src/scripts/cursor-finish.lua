-- The logs have the cursors that subscribe.lua asked for.
--
-- ARGV  for each: epoch, 1 where it finishes what an owner before has begun (the session's end forgets that it did), count, then for each filter: filter, what was asked for (P, R, G), where the cursor stands
-- Gives for each: `ok`, or `fenced` when the claim has moved: its new owner finishes
local results = {}
for change = 1, changes do
  local _, session = nextChange(change)
  local epoch, takesOver, count = take(), take() == '1', tonumber(take())
  local valid = call('HGET', session, 'e') == epoch
  if valid and takesOver then call('HSET', session, 't', '1') end
  for _ = 1, count do
    local filter, state, stands = take(), take(), take()
    local field = 'k:' .. filter
    if valid and call('HGET', session, field) == state then
      if state == 'G' then
        call('HDEL', session, field)
      else
        call('HSET', session, field, 'A' .. stands)
      end
    end
  end
  results[change] = { valid and 'ok' or 'fenced' }
end
return results
