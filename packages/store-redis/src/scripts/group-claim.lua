-- Claims groups: the leader before is fenced.
--
-- ARGV  none but those of all
-- Gives for each: `ok`, epoch, cursor, reservations as number, reservation …; or `unknown`
local results = {}
for change = 1, changes do
  local _, group = nextChange(change)
  if group.epoch then
    local epoch = nextEpoch(group)
    putGroup(group, epoch, group.cursor)
    results[change] = { 'ok', epoch, group.cursor, call('HGETALL', group.reservations) }
  else
    results[change] = { 'unknown' }
  end
end
return results
