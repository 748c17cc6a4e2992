-- The distinct owners that hold something. One look-up each, however much they hold.
--
-- KEYS  for each shard: owned
-- Gives owners, some of them twice
local owners = {}
for _, owned in ipairs(KEYS) do
  local after = '-'
  while true do
    local member = redis.call('ZRANGEBYLEX', owned, after, '+', 'LIMIT', 0, 1)[1]
    if not member then break end
    local owner = string.match(member, '^([^%z]*)%z')
    owners[#owners + 1] = owner
    after = '(' .. owner .. '\1'
  end
end
return owners
