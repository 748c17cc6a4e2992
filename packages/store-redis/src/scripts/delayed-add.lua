-- Adds delayed publishes.
--
-- KEYS  for each shard: due, records
-- ARGV  for each: shard (counted from 1), identifier, due time, record
-- Gives nothing
for at = 1, #ARGV, 4 do
  local shard = tonumber(ARGV[at])
  redis.call('HSET', KEYS[2 * shard], ARGV[at + 1], ARGV[at + 3])
  redis.call('ZADD', KEYS[2 * shard - 1], ARGV[at + 2], ARGV[at + 1])
end
