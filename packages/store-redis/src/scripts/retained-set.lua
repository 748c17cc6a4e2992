-- Sets and removes retained messages.
--
-- KEYS  for each shard: topics, records, usage, users
-- ARGV  for each: shard (counted from 1), topic with NUL for `/`, 1 to set, f64 expiry time and record, user, room (usage-parts.lua)
-- Gives for each what `replace` gives
local results = {}
local expiryBytes = 8
for at = 1, #ARGV, 9 do
  local shard = tonumber(ARGV[at])
  local topics, records, usage, users = KEYS[4 * shard - 3], KEYS[4 * shard - 2], KEYS[4 * shard - 1], KEYS[4 * shard]
  local topic, value, user = ARGV[at + 1], ARGV[at + 3], ARGV[at + 4]
  local isSet = ARGV[at + 2] == '1'
  local stored = redis.call('HGET', records, topic)
  local userBefore = stored and redis.call('HGET', users, topic) or ''
  local room = { ARGV[at + 5], ARGV[at + 6], ARGV[at + 7], ARGV[at + 8] }
  local result = replace(usage, stored and #stored - expiryBytes, userBefore, isSet and #value - expiryBytes, user, room)
  if result[1] == 0 then
    if isSet then
      redis.call('HSET', records, topic, value)
      if not stored then redis.call('ZADD', topics, 0, topic) end
    elseif stored then
      redis.call('HDEL', records, topic)
      redis.call('ZREM', topics, topic)
    end
    if isSet and user ~= '' then
      if user ~= userBefore then redis.call('HSET', users, topic, user) end
    elseif userBefore ~= '' then
      redis.call('HDEL', users, topic)
    end
  end
  results[#results + 1] = result
end
return results
