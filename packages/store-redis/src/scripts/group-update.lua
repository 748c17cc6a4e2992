-- The leader of a group writes how far it was served.
--
-- ARGV  for each: epoch, acknowledged or empty, cursor, count, numbers whose takes are forgotten
-- Gives for each: `ok`, `unknown`, or `fenced` and the group's epoch
local results = {}
for change = 1, changes do
  local log, group = nextChange(change)
  local epoch, acknowledged, cursor, forgotten = take(), take(), take(), {}
  for i = 1, tonumber(take()) do forgotten[i] = take() end
  if not group.epoch then
    results[change] = { 'unknown' }
  elseif group.epoch ~= epoch then
    results[change] = { 'fenced', group.epoch }
  else
    for _, sequence in ipairs(forgotten) do call('HDEL', group.takes, sequence) end
    if acknowledged ~= '' then
      putGroup(group, epoch, cursor)
      moveCursor(log, group.name, acknowledged)
    end
    results[change] = { 'ok' }
  end
end
return results
