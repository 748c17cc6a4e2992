-- Removes retained messages of a shard that have expired, among some of them.
--
-- KEYS  topics, records, usage, users
-- ARGV  where the walk goes on, messages to look at, now
-- Gives where it goes on, and how many were removed
local page = redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2])
local now, removed = tonumber(ARGV[3]), 0
for at = 1, #page[2], 2 do
  local topic, value = page[2][at], page[2][at + 1]
  if struct.unpack('>d', value) <= now then
    replace(KEYS[3], #value - 8, redis.call('HGET', KEYS[4], topic) or '', false, '', {})
    redis.call('HDEL', KEYS[2], topic)
    redis.call('ZREM', KEYS[1], topic)
    redis.call('HDEL', KEYS[4], topic)
    removed = removed + 1
  end
end
return { page[1], removed }
