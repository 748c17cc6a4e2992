-- Runs one reading command on a key of every shard. A leader reads all of them each second, and a command to each would
-- be most of its work while nothing happens.
--
-- KEYS  for each shard: the key
-- ARGV  the command, what follows the key
-- Gives place of the key and reply, one after the other, of each key that holds something: the replies of an idle cluster
-- are nearly all empty, and reading those was most of what remained.

local function isEmpty(reply)
  if type(reply) ~= 'table' then
    return reply == false or reply == 0
  end
  -- A scan gives where it goes on and what it found.
  if type(reply[2]) == 'table' then
    return reply[1] == '0' and #reply[2] == 0
  end
  return #reply == 0
end

local found = {}
for i, key in ipairs(KEYS) do
  local reply = redis.call(ARGV[1], key, unpack(ARGV, 2))
  if not isEmpty(reply) then
    found[#found + 1] = i
    found[#found + 1] = reply
  end
end
return found
