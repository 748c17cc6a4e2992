-- Which numbers logs give from here on: those of the era that the server's run began (continuity.ts).
--
-- KEYS  1: the shard's era
-- ARGV  1: the server's run  2: era to begin at least, if one is to begin  3: run that the caller knew, empty: none  4: its era
-- Gives the era, and the one that was stored, -1: none
local unit = 1073741824
local run, knownRun, known = ARGV[1], ARGV[3], tonumber(ARGV[4])
local storedRun, stored = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) (%d+)$')
stored = tonumber(stored or -1)
local era
if storedRun == nil and knownRun == '' then
  era = 0
elseif storedRun ~= run or (knownRun ~= '' and knownRun ~= run and stored <= known) then
  -- Another run than the one whose numbers are in the store, or than the caller has heard numbers of: whatever it may have given and lost is never given again.
  era = math.max(tonumber(ARGV[2]), stored + unit, known + unit)
  era = era - era % unit
else
  return { stored, stored }
end
redis.call('SET', KEYS[1], run .. ' ' .. string.format('%.0f', era))
return { era, stored }
