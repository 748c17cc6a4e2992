-- Writes the cursor of a group, for its leader.
--
-- ARGV  for each: epoch, acknowledged or empty, cursor, count, numbers whose reservations are deleted
-- Gives for each: `ok`, `unknown`, or `fenced` and the group's epoch
local results = {}
for change = 1, changes do
  local log, group = nextChange(change)
  local epoch, acknowledged, cursor, deleted = take(), take(), take(), {}
  for i = 1, tonumber(take()) do deleted[i] = take() end
  if not group.epoch then
    results[change] = { 'unknown' }
  elseif group.epoch ~= epoch then
    results[change] = { 'fenced', group.epoch }
  else
    for _, sequence in ipairs(deleted) do call('HDEL', group.reservations, sequence) end
    if acknowledged ~= '' then
      putGroup(group, epoch, cursor)
      moveCursor(log, group.name, acknowledged)
    end
    results[change] = { 'ok' }
  end
end
return results
