-- Removes wills, each only if it is of this epoch.
--
-- ARGV  for each: epoch
-- Gives nothing
local results = {}
for change = 1, changes do
  local keys, _, client = nextChange(change)
  local epoch = tonumber(take())
  local will = call('HGET', keys.wills, client)
  if will and readWill(will) == epoch then removeWill(keys, client, will) end
  results[change] = {}
end
return results
