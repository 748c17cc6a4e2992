-- Places, moves and removes cursors of sessions on logs, in the order given. The log of a filter begins with its first cursor and ends with
-- its last; its last number is kept for the next time.
--
-- KEYS  for each shard: heads, filled, ends; then for each change: the log's stream, the log's cursors
-- ARGV  1: shards; then for each change: shard (counted from 1), kind, filter, session, number
--         add     a cursor unless there is one: at `number`, or at the log's end when that is empty
--         reset   a cursor at the log's end, also when there is one
--         move    to `number` if there is one
--         remove  it
-- Gives for each change: last number of the log, where the cursor stands (0: none)
local call, pack, unpack = redis.call, struct.pack, struct.unpack
local shards = tonumber(ARGV[1])
local results = {}
local key, at = 3 * shards, 2

local function mark(heads, filled, filter, head, base, front, last, bytes, dirty)
  if dirty == 1 or front > last then return end
  call('HSET', heads, filter, pack('>ddddB', base, front, last, bytes, 1))
  call('ZADD', filled, 0, filter)
end

for change = 1, (#KEYS - key) / 2 do
  local shard, kind, filter, session, number = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local heads, filled, ends = KEYS[3 * shard - 2], KEYS[3 * shard - 1], KEYS[3 * shard]
  local stream, cursors = KEYS[key + 2 * change - 1], KEYS[key + 2 * change]
  at = at + 5
  local head = call('HGET', heads, filter)
  local base, front, last, bytes, dirty
  if head then base, front, last, bytes, dirty = unpack('>ddddB', head) end
  local stands = 0
  if kind == 'add' or kind == 'reset' then
    if not head then
      last = tonumber(call('HGET', ends, filter) or 0)
      call('HDEL', ends, filter)
      call('HSET', heads, filter, pack('>ddddB', last, last + 1, last, 0, 0))
    end
    stands = kind == 'add' and tonumber(call('ZSCORE', cursors, session) or -1) or -1
    if stands < 0 then
      stands = last
      if kind == 'add' and number ~= '' then stands = tonumber(number) end
      call('ZADD', cursors, stands, session)
    end
  elseif kind == 'move' then
    if head and call('ZSCORE', cursors, session) then
      stands = tonumber(number)
      call('ZADD', cursors, stands, session)
      mark(heads, filled, filter, head, base, front, last, bytes, dirty)
    end
  elseif head and call('ZREM', cursors, session) == 1 then
    if call('EXISTS', cursors) == 0 then
      call('HDEL', heads, filter)
      call('ZREM', filled, filter)
      call('UNLINK', stream)
      if last > 0 then call('HSET', ends, filter, string.format('%.0f', last)) end
    else
      mark(heads, filled, filter, head, base, front, last, bytes, dirty)
    end
  end
  results[change] = { last or 0, stands }
end
return results
