-- Part of the scripts by which the owner of a session changes logs, put in front of them. Another script checks the
-- session first, and the owner may stall in between. When this script runs, the client may be elsewhere, and a later owner
-- may have finished the same change, or made further ones.
--
-- Whether a later owner of this session (keys.ts: `taken`) is known at the log; `marks`: this one is known from here on.
local function isPassed(taken, producer, filter, epoch, marks)
  local prefix = producer .. '\0\1' .. filter .. '\0'
  local member = redis.call('ZRANGEBYLEX', taken, '[' .. prefix, '(' .. prefix .. '\255', 'LIMIT', 0, 1)[1]
  local known = member and tonumber(string.sub(member, #prefix + 1)) or 0
  if known > epoch then return true end
  if marks and known < epoch then
    if member then redis.call('ZREM', taken, member) end
    redis.call('ZADD', taken, 0, prefix .. string.format('%.0f', epoch))
  end
  return false
end
