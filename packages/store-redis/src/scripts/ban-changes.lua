-- Reads bans that were put after a place, in their order; all of them if bans were removed since, or if Redis has not
-- come to that place. Each worker asks every half second: without news it is one read of two fields.
--
-- KEYS  bans, banchanges, bancounts
-- ARGV  removals and changes of the place (empty: none), how many at most
-- Gives 1 if these are the first of all, removals, the place in the changes, 1 if there are more, and the records
local counts = redis.call('HMGET', KEYS[3], 'removals', 'changes')
local removals, changes = counts[1] or '0', counts[2] or '0'
local isWhole = ARGV[1] ~= removals or tonumber(ARGV[2]) > tonumber(changes)
local from = isWhole and '0' or ARGV[2]
local results = { isWhole and 1 or 0, removals, changes, 0 }
if from == changes then
  return results
end
local most = tonumber(ARGV[3])
local found = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. from, '+inf', 'LIMIT', '0', tostring(most + 1))
for i = 1, math.min(#found, most) do
  results[4 + i] = redis.call('HGET', KEYS[1], found[i])
end
if #found > most then
  results[3] = redis.call('ZSCORE', KEYS[2], found[most])
  results[4] = 1
end
return results
