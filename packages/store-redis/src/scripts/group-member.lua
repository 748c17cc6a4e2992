-- Adds and removes durable members of groups. The first begins the group, at the end of the log; the last ends it.
-- The reservations of a client that leaves become final.
--
-- ARGV  for each: kind (join, leave), session, client identifier, and of the session's owner as in cursors.lua: producer, epoch, 1 where it finishes
-- Gives for each: last number of the log
local results = {}
for change = 1, changes do
  local log, group = nextChange(change)
  local kind, session, client, producer, epoch, takesOver = take(), take(), take(), take(), tonumber(take()), take() == '1'
  if epoch > 0 and isPassed(group.taken, producer, group.name, epoch, takesOver) then
    kind = 'none'
  end
  if kind == 'join' then
    local stands = addCursor(log, group.name, '')
    if not group.epoch then putGroup(group, nextEpoch(group), string.format('%.0f', stands) .. ';;') end
    call('SADD', group.members, session)
  elseif kind == 'leave' and call('SREM', group.members, session) == 1 then
    if call('EXISTS', group.members) == 0 then
      call('HDEL', group.groups, group.name)
      call('UNLINK', group.reservations)
      removeCursor(log, group.name)
    else
      local reservations = call('HGETALL', group.reservations)
      for i = 1, #reservations, 2 do
        local epoch, holder = string.match(reservations[i + 1], '^0(%d+);(.*)$')
        if holder == client then call('HSET', group.reservations, reservations[i], '1' .. epoch .. ';' .. client) end
      end
    end
  end
  results[change] = { log.last or 0 }
end
return results
