-- Appends runs of messages to logs. One step for all logs named; with Cluster they share one tag.
--
-- KEYS  for each shard: heads, filled, taken, logbytes; then for each log its stream; for a part of a batch with an origin the writer's memory (keys.ts)
-- ARGV  1: bytes, all numbers big-endian:
--         u16 shards; for each: f64 first number of its era, u16 logs; for each log: u16 length, filter
--         u32 runs; for each: u32 log (counted from 1 over all shards), u32 messages, u32 bytes of their records, u8 kind,
--         u32 length, chunk; if kind is 1, with a producer: u32 length, producer, f64 number, u32 digest, f64 epoch of its
--         session's owner, 0: none; 2: nothing is appended
--       2: batch  3: part of it, counted from 0  4: milliseconds for which the batch is remembered
-- Gives one number per run: the log number of its first message; 0: the filter is not durable; negated: the number under which
--       it stands already, its producer number having been taken, or this part of the batch having come before. A run with a producer has one message.
--       0 too: a later owner of the producer's session is known at the log.
--       Error FENCED: a later batch of the writer has come; GAP: the part before this one has not.
local unpack, pack, call = struct.unpack, struct.pack, redis.call
local spread = _G.unpack
-- So many arguments fit Lua's stack with room to spare; an even number keeps pairs together.
local argumentsMax = 1000

-- What comes after a number: the next one, or the one of this era with the same count (continuity.ts).
local function following(number, era)
  if number + 1 >= era then return number + 1 end
  return era + (number + 1) % 1073741824
end

local batch, part, remembered = tonumber(ARGV[2]), tonumber(ARGV[3])
if batch then
  remembered = call('GET', KEYS[#KEYS]) or ''
  local last = remembered == '' and 0 or unpack('>d', remembered)
  if last > batch then return redis.error_reply('FENCED a later batch of this writer was appended') end
  if last < batch then remembered = pack('>d', batch) end
  local parts, at = 0, 9
  while at <= #remembered do
    local numbers
    numbers, at = unpack('>I4c0', remembered, at)
    if parts == part then
      -- A write, if of nothing else: after WAIT on this connection the appends are as safe as configured too.
      call('PEXPIRE', KEYS[#KEYS], ARGV[4])
      local results = cmsgpack.unpack(numbers)
      for run = 1, #results do results[run] = -math.abs(results[run]) end
      return results
    end
    parts = parts + 1
  end
  -- Never out of order: the parts may have failed one by one.
  if parts < part then return redis.error_reply('GAP the part before this one was not appended') end
end

local blob = ARGV[1]
local shards, at = unpack('>I2', blob)

local heads, changed, shardOf, filterOf, eras = {}, {}, {}, {}, {}
local count = 0
for shard = 1, shards do
  local logs
  eras[shard], logs, at = unpack('>dI2', blob, at)
  local names = {}
  for i = 1, logs do
    names[i], at = unpack('>I2c0', blob, at)
    filterOf[count + i] = names[i]
    shardOf[count + i] = shard
  end
  for first = 1, logs, argumentsMax do
    local some = call('HMGET', KEYS[4 * shard - 3], spread(names, first, math.min(logs, first + argumentsMax - 1)))
    for i = 1, #some do heads[count + first + i - 1] = some[i] end
  end
  count = count + logs
end

local base, front, last, bytes, dirty = {}, {}, {}, {}, {}
for log = 1, count do
  if heads[log] then
    base[log], front[log], last[log], bytes[log], dirty[log] = unpack('>ddddB', heads[log])
  end
end

local function taken(shard, producer, number, filter)
  local key = KEYS[4 * shard - 1]
  if number > 65535 then
    -- Numbers so far behind are finished: each needs a packet identifier, and there are no more.
    call('ZREMRANGEBYLEX', key, '[' .. producer .. '\0\0', '(' .. producer .. '\0\0' .. string.format('%016.0f', number - 65535))
  end
  local prefix = producer .. '\0\0' .. string.format('%016.0f', number) .. '\0' .. filter .. '\0'
  return prefix, call('ZRANGEBYLEX', key, '[' .. prefix, '(' .. prefix .. '\255', 'LIMIT', 0, 1)[1]
end

local results, streams, added = {}, 4 * shards, {}
local runs
runs, at = unpack('>I4', blob, at)
for run = 1, runs do
  local log, messages, size, kind, chunk, producer, number, digest, epoch
  log, messages, size, kind, chunk, at = unpack('>I4I4I4BI4c0', blob, at)
  if kind == 1 then producer, number, digest, epoch, at = unpack('>I4c0dI4d', blob, at) end
  local first = 0
  if last[log] and kind ~= 2 and not (producer and epoch > 0 and isPassed(KEYS[4 * shardOf[log] - 1], producer, filterOf[log], epoch, true)) then
    first = following(last[log], eras[shardOf[log]])
    if producer then
      local shard = shardOf[log]
      local prefix, member = taken(shard, producer, number, filterOf[log])
      local sequence, known
      if member then sequence, known = string.match(string.sub(member, #prefix + 1), '^(%d+)%z?(%d*)$') end
      sequence, known = tonumber(sequence), tonumber(known)
      -- Other content under the number: it was given anew, to a session that had gone back.
      local isOther = known and known ~= 0 and digest ~= 0 and known ~= digest
      if sequence and sequence > base[log] and not isOther then
        first = -sequence
      else
        if member then call('ZREM', KEYS[4 * shard - 1], member) end
        call('ZADD', KEYS[4 * shard - 1], 0, prefix .. string.format('%.0f', first) .. '\0' .. string.format('%.0f', digest))
      end
    end
    if first > 0 then
      last[log] = first + messages - 1
      bytes[log] = bytes[log] + size
      added[shardOf[log]] = (added[shardOf[log]] or 0) + size
      changed[log] = true
      call('XADD', KEYS[streams + log], string.format('%.0f-0', last[log]), 'r', chunk)
    end
  end
  results[run] = first
end

local written, marked, writtenCount, markedCount = {}, {}, {}, {}
for shard = 1, shards do written[shard], marked[shard], writtenCount[shard], markedCount[shard] = {}, {}, 0, 0 end
for log in pairs(changed) do
  local shard = shardOf[log]
  if dirty[log] == 0 then
    local n = markedCount[shard]
    marked[shard][n + 1], marked[shard][n + 2] = 0, filterOf[log]
    markedCount[shard] = n + 2
  end
  local n = writtenCount[shard]
  written[shard][n + 1], written[shard][n + 2] = filterOf[log], pack('>ddddB', base[log], front[log], last[log], bytes[log], 1)
  writtenCount[shard] = n + 2
end
for shard = 1, shards do
  for first = 1, writtenCount[shard], argumentsMax do call('HSET', KEYS[4 * shard - 3], spread(written[shard], first, math.min(writtenCount[shard], first + argumentsMax - 1))) end
  for first = 1, markedCount[shard], argumentsMax do call('ZADD', KEYS[4 * shard - 2], spread(marked[shard], first, math.min(markedCount[shard], first + argumentsMax - 1))) end
  if added[shard] then call('HINCRBY', KEYS[4 * shard], 'b', string.format('%.0f', added[shard])) end
end
if batch then
  local numbers = cmsgpack.pack(results)
  call('SET', KEYS[#KEYS], remembered .. pack('>I4c0', #numbers, numbers), 'PX', ARGV[4])
end
return results
