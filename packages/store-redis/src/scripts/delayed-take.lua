-- Hands out delayed publishes that are due; each is due again later unless it is removed.
--
-- KEYS  for each shard: due, records, usage
-- ARGV  1: now  2: when they are due again  then for each: shard (counted from 1), identifier
-- Gives for each: record, or false if it is not due any more
local results = {}
for at = 3, #ARGV, 2 do
  local shard = tonumber(ARGV[at])
  local due, records = KEYS[3 * shard - 2], KEYS[3 * shard - 1]
  local dueAt = tonumber(redis.call('ZSCORE', due, ARGV[at + 1]) or math.huge)
  local record = dueAt <= tonumber(ARGV[1]) and redis.call('HGET', records, ARGV[at + 1])
  if record then redis.call('ZADD', due, ARGV[2], ARGV[at + 1]) end
  results[#results + 1] = record
end
return results
