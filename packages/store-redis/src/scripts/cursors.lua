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
local shards = tonumber(ARGV[1])
local results = {}
local key, at = 3 * shards, 2

for change = 1, (#KEYS - key) / 2 do
  local shard, kind, filter, session, number = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local keys = { heads = KEYS[3 * shard - 2], filled = KEYS[3 * shard - 1], ends = KEYS[3 * shard] }
  local log = openLog(keys, filter, KEYS[key + 2 * change - 1], KEYS[key + 2 * change])
  at = at + 5
  local stands = 0
  if kind == 'add' then
    stands = addCursor(log, session, number)
  elseif kind == 'reset' then
    call('ZREM', log.cursors, session)
    stands = addCursor(log, session, '')
  elseif kind == 'move' then
    stands = moveCursor(log, session, number)
  else
    removeCursor(log, session)
  end
  results[change] = { log.last or 0, stands }
end
return results
