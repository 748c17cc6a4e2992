-- Drops messages from the front of logs: what every cursor has passed, what has expired, what is over the limits.
--
-- KEYS  for each shard: heads, filled, logbytes; then for each log: stream, cursors
-- ARGV  1: shards  2: now  3: messages a log may hold  4: bytes a log may hold  5: messages to drop at most in this step
--       then for each log: shard (counted from 1), filter
-- Gives messages dropped by limit, and 1 if the bound of this step was met and there is more to do
local call, pack, unpack = redis.call, struct.pack, struct.unpack
local shards, now, messagesMax, bytesMax, room = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local dropped, more = 0, 0
-- Chunks looked at in one go, after a first look at one.
local blocksMax = 16

local function trim(heads, filled, sum, filter, stream, cursors)
  local head = call('HGET', heads, filter)
  if not head then return call('ZREM', filled, filter) end
  local base, front, last, bytes = unpack('>dddd', head)
  local bytesBefore = bytes
  local passed = tonumber(call('ZRANGE', cursors, 0, 0, 'WITHSCORES')[2] or last)
  -- When this log must be examined again if it does not change: the expiry of its front message.
  local due, from, done, blocks = math.huge, string.format('%.0f', front), false, 1
  if passed >= last and front <= last and room > 0 then
    -- Every cursor has passed all of it.
    room = room - 1
    front, bytes, done = last + 1, 0, true
  end
  while not done and front <= last do
    local chunks = call('XRANGE', stream, from, '+', 'COUNT', blocks)
    if #chunks == 0 then
      front, bytes = last + 1, 0
      break
    end
    blocks = blocksMax
    for _, entry in ipairs(chunks) do
      local chunk = entry[2][2]
      from = '(' .. entry[1]
      local count, at = unpack('>I4', chunk)
      local sequence = tonumber(string.match(entry[1], '^%d+')) - count + 1
      for message = 1, count do
        local length, expiresAt
        length, expiresAt, at = unpack('>I4d', chunk, at)
        at = at + length
        if sequence >= front then
          -- Numbers of two eras differ by the messages between them, and whole eras (continuity.ts).
          local over = (last - sequence + 1) % 1073741824 > messagesMax or bytes > bytesMax
          local expired = expiresAt <= now
          if sequence > passed and not over and not expired then
            due, done = expiresAt, true
            break
          end
          if room <= 0 then
            due, done, more = 0, true, 1
            break
          end
          if sequence > passed and not expired then dropped = dropped + 1 end
          room = room - 1
          front = sequence + 1
          bytes = bytes - length
        end
        sequence = sequence + 1
      end
      if done then break end
    end
  end
  if bytes ~= bytesBefore then call('HINCRBY', sum, 'b', string.format('%.0f', bytes - bytesBefore)) end
  call('HSET', heads, filter, pack('>ddddB', base, front, last, bytes, (due == 0 and front <= last) and 1 or 0))
  if front > last then
    call('UNLINK', stream)
    call('ZREM', filled, filter)
  else
    call('XTRIM', stream, 'MINID', string.format('%.0f', front))
    call('ZADD', filled, due, filter)
  end
end

local key = 3 * shards
for at = 6, #ARGV, 2 do
  if room <= 0 then return { dropped, 1 } end
  local shard = tonumber(ARGV[at])
  trim(KEYS[3 * shard - 2], KEYS[3 * shard - 1], KEYS[3 * shard], ARGV[at + 1], KEYS[key + 1], KEYS[key + 2])
  key = key + 2
end
return { dropped, more }
