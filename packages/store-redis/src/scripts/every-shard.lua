-- The same command, which reads, on one key of every shard: a leader looks at all of them each second, and a command to each would be most of what it does
-- while nothing happens.
--
-- KEYS  for each shard: the key
-- ARGV  the command, what follows the key
-- Gives the replies in the order of the keys
local replies = {}
for i, key in ipairs(KEYS) do
  replies[i] = redis.call(ARGV[1], key, unpack(ARGV, 2))
end
return replies
