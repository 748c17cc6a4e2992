-- Finds retained messages by a filter with wildcards, jumping over what cannot match. Topics are stored with NUL for `/`, so that all below a
-- level stand together right behind it.
--
--     filter  a/+/x       topics  a  a/b  a/b/w  a/b/x  a/b/y  a/c/x  b
--             from a ───────────► too short: go on
--                                    too short: to a/b/x
--                                                match: past a/b
--                                                              a/c/x: match, past a/c
--                                                                       past the literal a: done
--
-- KEYS  for each shard: topics, records
-- ARGV  1: filter with NUL for `/`  2: shard to begin with (counted from 1)  3: position in it (a bound of ZRANGEBYLEX), or empty
--       4: messages at most
-- Gives shard and position to go on with (0: none), then pairs: topic with NUL for `/`, f64 expiry time and record
local limit = tonumber(ARGV[4])
-- Topics looked at in one step, so that no client waits longer than a few milliseconds; and bytes answered.
local looksMax, bytesMax = 2000, 1048576
-- Topics looked at one after the other before a jump is worth a look-up of its own.
local patience = 2

local function split(text)
  local levels, from = {}, 1
  while true do
    local at = string.find(text, '\0', from, true)
    levels[#levels + 1] = string.sub(text, from, (at or 0) - 1)
    if not at then return levels end
    from = at + 1
  end
end

-- Order of bytes; Lua's own comparison goes by locale.
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local filter = split(ARGV[1])
local function wildcard(i) return filter[i] == '+' or filter[i] == '#' end

-- Whether the topic matches; where to look next: a bound, `next` for the topic behind it, nil for nowhere.
local function look(topic)
  -- [MQTT-4.7.2-1] All `$` topics stand together.
  if string.byte(topic) == 36 and wildcard(1) then return false, '[%' end
  -- Where the level begins, nil behind the last; and where the last level that a `+` allowed ends: past it, and all below it, another value may match.
  local from, plus = 1, nil
  for i = 1, #filter do
    local wanted = filter[i]
    if wanted == '#' then return true, 'next' end
    if not from then return false, wanted == '+' and 'next' or '[' .. topic .. '\0' .. wanted end
    local stop = string.find(topic, '\0', from, true)
    if wanted == '+' then
      plus = (stop or #topic + 1) - 1
    else
      local level = string.sub(topic, from, (stop or 0) - 1)
      if level ~= wanted then
        if before(level, wanted) then return false, '[' .. string.sub(topic, 1, from - 1) .. wanted end
        return false, plus and '[' .. string.sub(topic, 1, plus) .. '\1' or nil
      end
    end
    from = stop and stop + 1
  end
  return not from, plus and '[' .. string.sub(topic, 1, plus) .. '\1' or nil
end

local literal = {}
while #literal < #filter and not wildcard(#literal + 1) do literal[#literal + 1] = filter[#literal + 1] end
local start = #literal > 0 and '[' .. table.concat(literal, '\0') or '-'

local page, count, bytes, looks = { 0, '' }, 0, 0, 0
local position = ARGV[3] ~= '' and ARGV[3] or start
for shard = tonumber(ARGV[2]), #KEYS / 2 do
  local topics, records = KEYS[2 * shard - 1], KEYS[2 * shard]
  local blocks = 2
  while position do
    local found = redis.call('ZRANGEBYLEX', topics, position, '+', 'LIMIT', 0, blocks)
    position = #found == blocks and '(' .. found[#found] or nil
    local idle = 0
    for _, topic in ipairs(found) do
      if count >= limit or bytes >= bytesMax or looks >= looksMax then
        page[1], page[2] = shard, '[' .. topic
        return page
      end
      looks = looks + 1
      local matched, to = look(topic)
      if matched then
        local record = redis.call('HGET', records, topic)
        if record then
          page[#page + 1], page[#page + 2] = topic, record
          count = count + 1
          bytes = bytes + #topic + #record
        end
      end
      if not to then
        position = nil
        break
      end
      if to == 'next' or matched then
        idle = 0
      else
        idle = idle + 1
      end
      if idle >= patience then
        position = to
        break
      end
    end
    blocks = idle >= patience and 3 or math.min(blocks * 4, 128)
  end
  position = start
end
return page
