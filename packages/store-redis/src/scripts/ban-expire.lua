-- Removes bans that have ended.
--
-- KEYS  for each shard: bans, banchanges, banends, bancounts
-- ARGV  for each: shard (counted from 1), now, how many at most
-- Gives for each: how many were removed
local results = {}
for at = 1, #ARGV, 3 do
  local key = 4 * tonumber(ARGV[at])
  local ended = redis.call('ZRANGEBYSCORE', KEYS[key - 1], '-inf', ARGV[at + 1], 'LIMIT', '0', ARGV[at + 2])
  for _, name in ipairs(ended) do
    redis.call('HDEL', KEYS[key - 3], name)
    redis.call('ZREM', KEYS[key - 2], name)
    redis.call('ZREM', KEYS[key - 1], name)
  end
  results[#results + 1] = #ended
end
return results
