-- Claims client identifiers.
--
-- ARGV  for each: owner, 1 for a clean start, session expiry in seconds, now, user, 1 if only its user may claim what a user owns,
--       how many sessions more there may be, in all and of the user: `inf` for any, `ask` if that is not known yet
-- Gives for each: epoch (below 1, nothing has changed: 0, it belongs to another user; -1, it must be known how many sessions there may be; -2 and -3,
--       there may be none more in all, of the user), previous owner, fields of the stored session or false,
--       will that the caller publishes, or that of a connection, or false, job of a session that ended by this or false, 1 if the session is large: then its other fields are still to be read,
--       sessions added to all, to the user
local function claim(keys, session, client)
  local owner, clean, expirySeconds, now = take(), take() == '1', take(), tonumber(take())
  local user, ownersOnly, roomInAll, roomOfUser = take(), take() == '1', take(), take()
  local head = call('HMGET', session, 'o', 'i', 'a', 'e')
  local previousOwner, id, expiresAt = head[1] or '', head[2], tonumber(head[3] or 0)
  local past = id and expiresAt > 0 and expiresAt <= now
  local ended = id and (clean or past)
  local holder = userOf(keys, client, id or head[4])
  if ownersOnly and not past and holder ~= '' and holder ~= user then return { 0 } end

  local stays = id and not ended
  local count = (stays or expirySeconds ~= '0') and 1 or 0
  local addedToAll, addedToUser = count - (id and 1 or 0), count - (id and holder == user and 1 or 0)
  if addedToAll > 0 or addedToUser > 0 then
    if roomInAll == 'ask' then return { -1 } end
    if addedToAll > tonumber(roomInAll) then return { -2 } end
    if addedToUser > tonumber(roomOfUser) then return { -3 } end
  end

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
    if holder ~= user then
      countSession(keys, holder, -1)
      countSession(keys, user, 1)
    end
  elseif expirySeconds ~= '0' then
    call('HSET', session, 'e', epochText, 'o', owner, 'x', expirySeconds, 'a', 0, 'i', epochText)
    countSession(keys, user, 1)
  else
    call('HSET', session, 'e', epochText, 'o', owner)
  end
  setUser(keys, client, id or epochText, user)
  return { epoch, previousOwner, fields, published, job, large, addedToAll, addedToUser }
end

local results = {}
for change = 1, changes do results[change] = claim(nextChange(change)) end
return results
