-- Sets and removes retained messages.
--
-- KEYS  for each shard: topics, records
-- ARGV  for each: shard (counted from 1), topic with NUL for `/`, 1 to set, f64 expiry time and record
-- Gives nothing
for at = 1, #ARGV, 4 do
  local shard = tonumber(ARGV[at])
  local topics, records = KEYS[2 * shard - 1], KEYS[2 * shard]
  if ARGV[at + 2] == '1' then
    if redis.call('HSET', records, ARGV[at + 1], ARGV[at + 3]) == 1 then redis.call('ZADD', topics, 0, ARGV[at + 1]) end
  else
    redis.call('HDEL', records, ARGV[at + 1])
    redis.call('ZREM', topics, ARGV[at + 1])
  end
end
