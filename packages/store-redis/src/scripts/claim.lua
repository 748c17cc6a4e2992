-- Claims client identifiers.
--
-- ARGV  for each: owner, 1 for a clean start, session expiry in seconds, now, user, 1 if only its user may claim what a user owns
-- Gives for each: epoch (0: it belongs to another user, and nothing has changed), previous owner, fields of the stored session or false,
--       will that the caller publishes, or that of a connection, or false, job of a session that ended by this or false, 1 if the session is large: then its other fields are still to be read
local function claim(keys, session, client)
  local owner, clean, expirySeconds, now = take(), take() == '1', take(), tonumber(take())
  local user, ownersOnly = take(), take() == '1'
  local head = call('HMGET', session, 'o', 'i', 'a', 'e')
  local previousOwner, id, expiresAt = head[1] or '', head[2], tonumber(head[3] or 0)
  local past = id and expiresAt > 0 and expiresAt <= now
  local ended = id and (clean or past)
  local holder = userOf(keys, client, id or head[4])
  if ownersOnly and not past and holder ~= '' and holder ~= user then return { 0 } end

  local published = false
  local will = call('HGET', keys.wills, client)
  if will then
    local _, _, dueAt = readWill(will)
    local scheduled = dueAt < math.huge
    if scheduled or (id and clean) then removeWill(keys, client, will) end
    if ended or not id or not scheduled then published = will end
  end

  local fields, job, large = false, false, 0
  if ended then
    job = endSession(keys, session, client, id, previousOwner)
    id = false
  elseif id then
    if call('HLEN', session) > fieldsMax then
      large = 1
      local known = call('HMGET', session, 'x', 'n')
      fields = { 'i', id, 'x', known[1], 'a', head[3], 'n', known[2] or '0' }
    else
      fields = call('HGETALL', session)
    end
    if expiresAt > 0 then call('ZREM', keys.expiry, client) end
  end
  -- Not below the time: then epochs grow also when a failover or a restart has lost the last ones.
  local epoch = math.max(tonumber(call('HGET', keys.counters, 'epoch') or 0) + 1, math.floor(now))
  local epochText = whole(epoch)
  call('HSET', keys.counters, 'epoch', epochText)
  if ended or previousOwner ~= owner then
    if not ended and previousOwner ~= '' then call('ZREM', keys.owned, ownedMember(previousOwner, 's', client)) end
    call('ZADD', keys.owned, 0, ownedMember(owner, 's', client))
  end
  if id then
    call('HSET', session, 'e', epochText, 'o', owner, 'x', expirySeconds, 'a', 0)
  elseif expirySeconds ~= '0' then
    call('HSET', session, 'e', epochText, 'o', owner, 'x', expirySeconds, 'a', 0, 'i', epochText)
    call('HINCRBY', keys.counters, 'sessions', 1)
  else
    call('HSET', session, 'e', epochText, 'o', owner)
  end
  setUser(keys, client, id or epochText, user)
  return { epoch, previousOwner, fields, published, job, large }
end

local results = {}
for change = 1, changes do results[change] = claim(nextChange(change)) end
return results
