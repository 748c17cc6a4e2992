-- Deletes producer numbers from logs: the handshake is finished, or the session has ended.
--
-- KEYS  for each shard: taken
-- ARGV  for each change: shard (counted from 1), producer, number (empty: all of this producer)
-- Gives nothing
for at = 1, #ARGV, 3 do
  local prefix = ARGV[at + 1] .. '\0'
  local first, past = prefix, prefix .. '\2'
  if ARGV[at + 2] ~= '' then
    first = prefix .. '\0' .. string.format('%016.0f', tonumber(ARGV[at + 2])) .. '\0'
    past = first .. '\255'
  end
  redis.call('ZREMRANGEBYLEX', KEYS[tonumber(ARGV[at])], '[' .. first, '(' .. past)
end
