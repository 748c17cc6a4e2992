-- Places, moves and removes cursors of sessions on logs, in the order given. The log of a filter begins with its first cursor and ends with
-- its last; its last number is kept for the next time.
--
-- KEYS  for each shard: heads, filled, ends, taken, logbytes; then for each change: the log's stream, the log's cursors
-- ARGV  1: shards; then for each change: shard (counted from 1), kind, filter, session, number, the session's name as a producer,
--       its owner's epoch, 0: any owner, 1 where the owner finishes what an earlier one has begun
--         add     a cursor unless there is one: at `number`, or at the log's end when that is empty
--         reset   a cursor at the log's end, also when there is one
--         move    to `number` if there is one
--         remove  it
-- Does nothing where a later owner is known at the log.
-- Gives for each change: last number of the log, where the cursor stands (0: none)
local shards = tonumber(ARGV[1])
local results = {}
local key, at = 5 * shards, 2

for change = 1, (#KEYS - key) / 2 do
  local shard, kind, filter, session, number = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local keys = { heads = KEYS[5 * shard - 4], filled = KEYS[5 * shard - 3], ends = KEYS[5 * shard - 2], sum = KEYS[5 * shard] }
  local log = openLog(keys, filter, KEYS[key + 2 * change - 1], KEYS[key + 2 * change])
  local producer, epoch, takesOver = ARGV[at + 5], tonumber(ARGV[at + 6]), ARGV[at + 7] == '1'
  at = at + 8
  local stands = 0
  if epoch > 0 and isPassed(KEYS[5 * shard - 1], producer, filter, epoch, takesOver) then
    kind = 'none'
  end
  if kind == 'add' then
    stands = addCursor(log, session, number)
  elseif kind == 'reset' then
    call('ZREM', log.cursors, session)
    stands = addCursor(log, session, '')
  elseif kind == 'move' then
    stands = moveCursor(log, session, number)
  elseif kind == 'remove' then
    removeCursor(log, session)
  end
  results[change] = { log.last or 0, stands }
end
return results
