-- Amounts that are stored in a shard, in all and by user: part of scripts that store what has quotas.
--
-- Hash `usage`: `n` and `b`, count and bytes of all; `n:` and `b:` before a user's name, of that user, whose name is empty
-- for anonymous clients.

local function addTo(usage, user, count, bytes)
  if count ~= 0 and redis.call('HINCRBY', usage, 'n:' .. user, count) == 0 then
    redis.call('HDEL', usage, 'n:' .. user, 'b:' .. user)
  elseif bytes ~= 0 then
    redis.call('HINCRBY', usage, 'b:' .. user, bytes)
  end
end

-- Puts an item in the place of another. `before`, `after`: their bytes, or false where there is none. `room`: counts and
-- bytes that may be added, of all and of the user; `inf` for any. Gives 0, and count and bytes added to all, to the user,
-- and to the user of before (last its name); or the place (from 1) of the room that is missing, and then nothing was changed.
local function replace(usage, before, userBefore, after, user, room)
  local isSame = before and after and userBefore == user
  local count, bytes = (after and 1 or 0) - (before and 1 or 0), (after or 0) - (before or 0)
  local userCount, userBytes, lostCount, lostBytes = 0, 0, 0, 0
  if isSame then
    userBytes = bytes
  else
    if after then userCount, userBytes = 1, after end
    if before then lostCount, lostBytes = -1, -before end
  end
  if after then
    local adds = { count, bytes, userCount, userBytes }
    for place = 1, 4 do
      if adds[place] > 0 and adds[place] > tonumber(room[place]) then return { place } end
    end
  end
  if count ~= 0 then redis.call('HINCRBY', usage, 'n', count) end
  if bytes ~= 0 then redis.call('HINCRBY', usage, 'b', bytes) end
  addTo(usage, user, userCount, userBytes)
  addTo(usage, userBefore, lostCount, lostBytes)
  return { 0, count, bytes, userCount, userBytes, lostCount, lostBytes, userBefore }
end
