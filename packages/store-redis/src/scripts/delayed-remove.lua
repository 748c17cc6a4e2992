-- Removes delayed publishes.
--
-- KEYS  for each shard: due, records
-- ARGV  for each: shard (counted from 1), identifier
-- Gives nothing
for at = 1, #ARGV, 2 do
  local shard = tonumber(ARGV[at])
  redis.call('ZREM', KEYS[2 * shard - 1], ARGV[at + 1])
  redis.call('HDEL', KEYS[2 * shard], ARGV[at + 1])
end
