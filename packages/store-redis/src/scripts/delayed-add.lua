-- Adds delayed publishes.
--
-- KEYS  for each shard: due, records, usage
-- ARGV  for each: shard (counted from 1), identifier, due time, record, user, room (usage-parts.lua)
-- Gives for each what `replace` gives
local results = {}
for at = 1, #ARGV, 9 do
  local shard = tonumber(ARGV[at])
  local due, records, usage = KEYS[3 * shard - 2], KEYS[3 * shard - 1], KEYS[3 * shard]
  local id, record, user = ARGV[at + 1], ARGV[at + 3], ARGV[at + 4]
  local room = { ARGV[at + 5], ARGV[at + 6], ARGV[at + 7], ARGV[at + 8] }
  local result = replace(usage, false, '', #record, user, room)
  if result[1] == 0 then
    redis.call('HSET', records, id, record)
    redis.call('ZADD', due, ARGV[at + 2], id)
  end
  results[#results + 1] = result
end
return results
