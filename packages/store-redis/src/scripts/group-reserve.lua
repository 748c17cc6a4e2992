-- Reserves messages of a group for clients.
--
-- ARGV  for each: epoch, count, then for each number: number, client identifier, 1 if final or 0
-- Gives for each: per number 1 if it stands and was made with this epoch, 0 if not
local results = {}
for change = 1, changes do
  local _, group = nextChange(change)
  local epoch, result = take(), {}
  for i = 1, tonumber(take()) do
    local sequence, client, final = take(), take(), take()
    local found = group.epoch and call('HGET', group.reservations, sequence)
    if found then
      local made, holder = string.match(found, '^%d(%d+);(.*)$')
      if holder == client and final == '1' then call('HSET', group.reservations, sequence, '1' .. made .. ';' .. client) end
      result[i] = holder == client and made == epoch and 1 or 0
    else
      result[i] = group.epoch == epoch and 1 or 0
      if result[i] == 1 then call('HSET', group.reservations, sequence, final .. epoch .. ';' .. client) end
    end
  end
  results[change] = result
end
return results
