-- Adds bans, or replaces those of the same names.
--
-- KEYS  for each shard: bans, banchanges, banends, bancounts
-- ARGV  for each: shard (counted from 1), names, end (empty: never), record
-- Gives nothing
for at = 1, #ARGV, 4 do
  local key = 4 * tonumber(ARGV[at])
  local name, endsAt = ARGV[at + 1], ARGV[at + 2]
  redis.call('HSET', KEYS[key - 3], name, ARGV[at + 3])
  redis.call('ZADD', KEYS[key - 2], redis.call('HINCRBY', KEYS[key], 'changes', 1), name)
  if endsAt == '' then
    redis.call('ZREM', KEYS[key - 1], name)
  else
    redis.call('ZADD', KEYS[key - 1], endsAt, name)
  end
end
