-- Looks at some owners of sessions that stand beside the counters, and counts the sessions of users again where one of them owns nothing: an
-- earlier release, which knows no owners, has ended what it owned.
--
-- KEYS  counters
-- ARGV  1: where the walk goes on  2: fields to look at  3: beginning of the keys of sessions in this shard
-- Gives where it goes on
local call = redis.call

-- 2: of a stored session, 1: of a claim, 0: of nothing.
local function standing(client, owner)
  local mark = string.match(owner, '^(%d*)%z')
  local found = call('HMGET', ARGV[3] .. client, 'i', 'e')
  if mark == nil then return 0 end
  if found[1] then return found[1] == mark and 2 or 0 end
  return found[2] == mark and 1 or 0
end

local page = call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local isStale = false
for at = 1, #page[2], 2 do
  local field = page[2][at]
  if string.sub(field, 1, 2) == 'u:' and standing(string.sub(field, 3), page[2][at + 1]) == 0 then isStale = true end
end
if not isStale then return page[1] end

local counts, named, old = {}, 0, {}
local all = call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local kind, name = string.sub(all[at], 1, 2), string.sub(all[at], 3)
  if kind == 'n:' then old[#old + 1] = name end
  if kind == 'u:' then
    local stands = standing(name, all[at + 1])
    if stands == 0 then call('HDEL', KEYS[1], all[at]) end
    if stands == 2 then
      local user = string.match(all[at + 1], '%z(.*)$')
      counts[user] = (counts[user] or 0) + 1
      named = named + 1
    end
  end
end
for _, user in ipairs(old) do
  if not counts[user] then call('HDEL', KEYS[1], 'n:' .. user) end
end
for user, count in pairs(counts) do call('HSET', KEYS[1], 'n:' .. user, count) end
call('HSET', KEYS[1], 'named', named)
return page[1]
