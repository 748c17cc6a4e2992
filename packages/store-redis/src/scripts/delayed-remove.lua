-- Removes delayed publishes.
--
-- KEYS  for each shard: due, records, usage
-- ARGV  for each: shard (counted from 1), identifier, user
-- Gives for each what `replace` gives
local results = {}
for at = 1, #ARGV, 3 do
  local shard = tonumber(ARGV[at])
  local due, records, usage = KEYS[3 * shard - 2], KEYS[3 * shard - 1], KEYS[3 * shard]
  local id, user = ARGV[at + 1], ARGV[at + 2]
  local record = redis.call('HGET', records, id)
  results[#results + 1] = replace(usage, record and #record, user, false, user, {})
  redis.call('ZREM', due, id)
  redis.call('HDEL', records, id)
end
return results
