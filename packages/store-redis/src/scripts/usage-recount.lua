-- Counts the amounts of one shard again, where an earlier release has stored or removed something without keeping them.
--
-- KEYS  records, usage, users
-- ARGV  bytes of each record that are not the message's, length of a name before the user in it: 0 where users has it
-- Gives 1 if it counted
if redis.call('HLEN', KEYS[1]) == tonumber(redis.call('HGET', KEYS[2], 'n') or 0) then return 0 end
redis.call('DEL', KEYS[2])
local users = {}
local found = redis.call('HGETALL', KEYS[3])
for at = 1, #found, 2 do users[found[at]] = found[at + 1] end
local room = { 'inf', 'inf', 'inf', 'inf' }
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  local bytes = #redis.call('HGET', KEYS[1], name) - tonumber(ARGV[1])
  local user = users[name] or tonumber(ARGV[2]) > 0 and string.sub(name, ARGV[2] + 1) or ''
  replace(KEYS[2], false, '', bytes, user, room)
  users[name] = nil
end
for name in pairs(users) do redis.call('HDEL', KEYS[3], name) end
return 1
