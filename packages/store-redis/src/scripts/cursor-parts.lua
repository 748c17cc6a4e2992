-- Parts of the scripts about cursors, put in front of them. A reader of a log is a session, or a group.
local call, pack, unpack = redis.call, struct.pack, struct.unpack

local function mark(log)
  if log.dirty == 1 or log.front > log.last then return end
  call('HSET', log.heads, log.filter, pack('>ddddB', log.base, log.front, log.last, log.bytes, 1))
  call('ZADD', log.filled, 0, log.filter)
end

-- The log as it is; without `head` it has no readers, and `last` is nil until one comes.
local function openLog(keys, filter, stream, cursors)
  local log = { heads = keys.heads, filled = keys.filled, ends = keys.ends, sum = keys.sum, filter = filter, stream = stream, cursors = cursors }
  log.head = call('HGET', log.heads, filter)
  if log.head then log.base, log.front, log.last, log.bytes, log.dirty = unpack('>ddddB', log.head) end
  return log
end

-- Filters of a shard that are durable no more and whose last numbers are kept.
local endsMax = 1024

-- The number after which the log of a filter begins that is not durable now: nobody was given a higher one. The empty name has the highest of
-- those that were forgotten.
local function endOf(ends, filter)
  local found = call('HMGET', ends, filter, '')
  return math.max(tonumber(found[1] or 0), tonumber(found[2] or 0))
end

-- Forgets last numbers where there are many, so that filters that come and go do not stay for ever.
local function forgetEnds(ends)
  if call('HLEN', ends) <= endsMax then return end
  local highest, names = endOf(ends, ''), {}
  local found = call('HSCAN', ends, '0', 'COUNT', 2 * endsMax)[2]
  for i = 1, #found, 2 do
    if found[i] ~= '' then
      names[#names + 1] = found[i]
      highest = math.max(highest, tonumber(found[i + 1]))
    end
  end
  for first = 1, #names, 1000 do call('HDEL', ends, _G.unpack(names, first, math.min(#names, first + 999))) end
  call('HSET', ends, '', string.format('%.0f', highest))
end

-- A cursor unless there is one: at `number`, or at the log's end when that is empty. Gives where it stands.
local function addCursor(log, reader, number)
  if not log.head then
    log.last = endOf(log.ends, log.filter)
    call('HDEL', log.ends, log.filter)
    log.head = pack('>ddddB', log.last, log.last + 1, log.last, 0, 0)
    call('HSET', log.heads, log.filter, log.head)
  end
  local stands = tonumber(call('ZSCORE', log.cursors, reader) or -1)
  if stands < 0 then
    stands = number == '' and log.last or tonumber(number)
    call('ZADD', log.cursors, stands, reader)
  end
  return stands
end

-- Moves a cursor if there is one. Gives where it stands, 0: nowhere. Not past the log's end: a session that says
-- so remembers a log that has gone back since, and the numbers after that end are given again, to new messages.
local function moveCursor(log, reader, number)
  local stands = log.head and call('ZSCORE', log.cursors, reader)
  if not stands then return 0 end
  if tonumber(number) > log.last then return tonumber(stands) end
  call('ZADD', log.cursors, number, reader)
  mark(log)
  return tonumber(number)
end

local function removeCursor(log, reader)
  if not log.head or call('ZREM', log.cursors, reader) == 0 then return end
  if call('EXISTS', log.cursors) == 0 then
    call('HDEL', log.heads, log.filter)
    call('ZREM', log.filled, log.filter)
    call('UNLINK', log.stream)
    if log.bytes > 0 then call('HINCRBY', log.sum, 'b', string.format('%.0f', -log.bytes)) end
    if log.last > 0 then call('HSET', log.ends, log.filter, string.format('%.0f', log.last)) end
    forgetEnds(log.ends)
  else
    mark(log)
  end
end
