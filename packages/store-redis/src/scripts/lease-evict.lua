-- Evicts an endpoint for ever if its lease has run out, or whatever its lease.
--
-- KEYS  1: live  2: evicted
-- ARGV  1: 1 to evict it even if it is alive  2: milliseconds for which this is remembered
-- Gives 1, or 0 when its lease is valid
if ARGV[1] ~= '1' and redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
redis.call('DEL', KEYS[1])
return 1
