-- Permissions that the user of this connection lacks: commands that would be refused within a script. Nothing is read or
-- written.
--
-- ARGV  how many keys, the keys, the commands
-- Gives for each refusal: place of the key, command
local refused = {}
local keys = tonumber(ARGV[1])
for place = 1, keys do
  local key = ARGV[1 + place]
  for at = keys + 2, #ARGV do
    -- Whichever of its arguments are keys, it is this one.
    if not redis.acl_check_cmd(ARGV[at], key, key, key, key) then
      refused[#refused + 1] = place
      refused[#refused + 1] = ARGV[at]
    end
  end
end
return refused
