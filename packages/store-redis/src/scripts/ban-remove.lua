-- Removes bans.
--
-- KEYS  for each shard: bans, banchanges, banends, bancounts
-- ARGV  for each: shard (counted from 1), names
-- Gives for each: 1 if there was one, else 0
local results = {}
for at = 1, #ARGV, 2 do
  local key = 4 * tonumber(ARGV[at])
  local name = ARGV[at + 1]
  local existed = redis.call('HDEL', KEYS[key - 3], name)
  redis.call('ZREM', KEYS[key - 2], name)
  redis.call('ZREM', KEYS[key - 1], name)
  if existed == 1 then
    redis.call('HINCRBY', KEYS[key], 'removals', 1)
  end
  results[#results + 1] = existed
end
return results
