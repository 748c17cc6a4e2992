-- Prolongs a lease unless its endpoint is evicted.
--
-- KEYS  1: live  2: evicted
-- ARGV  1: milliseconds
-- Gives 1, or 0 when it is evicted
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 1
