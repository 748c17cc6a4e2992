-- Parts of the scripts about shared groups with durable members, put in front of them, behind cursor-parts.lua.
--
-- KEYS of all of them   for each shard: heads, filled, ends, groups, groupepoch, taken, logbytes; then for each change: the log's stream, the log's cursors, the
--                       group's members, the group's reservations
-- ARGV of all of them   1: shards; then for each change: shard (counted from 1), filter, group, and what the script says
--
-- A group in `groups`: epoch ; acknowledged ; numbers above, by commas ; numbers of failed deliveries, by commas. Its cursor among those of the log has the
-- group's name. A reservation: 0, or 1 if it is final, the epoch it was made with ; client.
local shards = tonumber(ARGV[1])
local at, changes = 2, (#KEYS - 7 * shards) / 4

local function take()
  at = at + 1
  return ARGV[at - 1]
end

-- The next change: its log, and its group.
local function nextChange(change)
  local shard, place = 7 * (tonumber(take()) - 1), 7 * shards + 4 * (change - 1)
  local keys = { heads = KEYS[shard + 1], filled = KEYS[shard + 2], ends = KEYS[shard + 3], sum = KEYS[shard + 7] }
  local log = openLog(keys, take(), KEYS[place + 1], KEYS[place + 2])
  local group = { groups = KEYS[shard + 4], epochs = KEYS[shard + 5], taken = KEYS[shard + 6], members = KEYS[place + 3], reservations = KEYS[place + 4], name = take() }
  local found = call('HGET', group.groups, group.name)
  if found then group.epoch, group.cursor = string.match(found, '^(%d+);(.*)$') end
  return log, group
end

local function putGroup(group, epoch, cursor)
  call('HSET', group.groups, group.name, epoch .. ';' .. cursor)
end

-- Never the same twice, whatever group it is for.
local function nextEpoch(group)
  return string.format('%.0f', call('INCR', group.epochs))
end
