-- Adds up the bytes of all logs of a shard again, since an earlier release writes to the same Redis, or has done so, without keeping the sum.
--
-- KEYS  heads, logbytes
-- ARGV  1: logs up to which it is done
-- Gives nothing
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[1]) then return end
local sum, heads = 0, redis.call('HGETALL', KEYS[1])
for at = 2, #heads, 2 do
  local _, _, _, bytes = struct.unpack('>dddd', heads[at])
  sum = sum + bytes
end
sum = string.format('%.0f', sum)
if (redis.call('HGET', KEYS[2], 'b') or '0') ~= sum then redis.call('HSET', KEYS[2], 'b', sum) end
