-- Parts of the scripts about sessions, put in front of them.
--
-- KEYS of all of them   for each shard: counters, owned, expiry, wills, willdue, jobs; then for each change: the session; of those that may end one
--                       (`keysEach` is 2) also where a large one goes when it ends
-- ARGV of all of them   1: shards; then for each change: shard (counted from 1), client identifier, and what the script says
local call, pack, unpack = redis.call, struct.pack, struct.unpack
local shards = tonumber(ARGV[1])
local at, changes = 2, (#KEYS - 6 * shards) / keysEach
local neverSeconds = 4294967295
-- Fields of a session that one script walks through: about 2 ms, in which Redis serves no other client. In a
-- larger session the caller walks through them, some at a time.
local fieldsMax = 1000

local function take()
  at = at + 1
  return ARGV[at - 1]
end

-- The keys of the next change's shard, its session's key and its client identifier.
local function nextChange(change)
  local shard, place = 6 * (tonumber(take()) - 1), 6 * shards + keysEach * (change - 1)
  local keys = {
    counters = KEYS[shard + 1], owned = KEYS[shard + 2], expiry = KEYS[shard + 3], wills = KEYS[shard + 4],
    willdue = KEYS[shard + 5], jobs = KEYS[shard + 6], ended = keysEach == 2 and KEYS[place + 2],
  }
  return keys, KEYS[place + 1], take()
end

-- What an owner holds in this shard: kind `s`, claims, and `w`, wills of connected clients.
local function ownedMember(owner, kind, client)
  return owner .. '\0' .. kind .. client
end

local function whole(number)
  return string.format('%.0f', number)
end

-- User that owns a claim or session, empty: nobody. It lies beside the counters, since earlier releases refuse fields of a session that they do not
-- know. `mark`: the session's id, of a claim without one its epoch: what an earlier release has left behind does not count.
local function userOf(keys, client, mark)
  local found = mark and call('HGET', keys.counters, 'u:' .. client)
  local prefix = (mark or '') .. '\0'
  return found and string.sub(found, 1, #prefix) == prefix and string.sub(found, #prefix + 1) or ''
end

local function setUser(keys, client, mark, user)
  if user == '' then call('HDEL', keys.counters, 'u:' .. client)
  else call('HSET', keys.counters, 'u:' .. client, mark .. '\0' .. user) end
end

-- Counts stored sessions, in all and of their user; those of no user are what is left of all (usage-book.ts).
local function countSession(keys, user, more)
  call('HINCRBY', keys.counters, 'sessions', more)
  if user == '' then return end
  call('HINCRBY', keys.counters, 'named', more)
  if call('HINCRBY', keys.counters, 'n:' .. user, more) == 0 then call('HDEL', keys.counters, 'n:' .. user) end
end

-- Ends a stored session. What it leaves in logs becomes a job, kept until it is done; gives the job, or false. A large
-- session is put aside whole, and the job walks through it.
local function endSession(keys, session, client, id, owner)
  local filters, ended = {}, nil
  local producer = call('HEXISTS', session, 't')
  if call('HLEN', session) > fieldsMax then
    ended = keys.ended
    call('RENAME', session, ended)
  else
    for _, field in ipairs(call('HKEYS', session)) do
      if string.sub(field, 1, 2) == 'k:' then filters[#filters + 1] = string.sub(field, 3) end
    end
    call('UNLINK', session)
  end
  call('ZREM', keys.expiry, client)
  countSession(keys, userOf(keys, client, id), -1)
  call('HDEL', keys.counters, 'u:' .. client)
  if owner ~= '' then call('ZREM', keys.owned, ownedMember(owner, 's', client)) end
  if #filters == 0 and producer == 0 and not ended then return false end
  local job = cjson.encode({ id = id, client = client, producer = producer, filters = filters, ended = ended })
  call('HSET', keys.jobs, id, job)
  return job
end

-- The connection has ended: an ephemeral session goes, a durable one waits for its expiry. Gives a job, or false.
local function disconnect(keys, session, client, id, owner, expirySeconds, now)
  if id and expirySeconds == 0 then return endSession(keys, session, client, id, owner) end
  if owner ~= '' then call('ZREM', keys.owned, ownedMember(owner, 's', client)) end
  if not id then
    call('DEL', session)
    call('HDEL', keys.counters, 'u:' .. client)
    return false
  end
  local expiresAt = expirySeconds == neverSeconds and math.huge or now + expirySeconds * 1000
  call('HSET', session, 'o', '', 'a', whole(expiresAt))
  if expiresAt < math.huge then call('ZADD', keys.expiry, expiresAt, client) end
  return false
end

-- A will: f64 epoch, u32 delay in seconds, f64 due time (infinite: its client is connected), u16 length, owner, record.
local function readWill(will)
  local epoch, delaySeconds, dueAt, owner = unpack('>dI4dI2c0', will)
  return epoch, delaySeconds, dueAt, owner
end

local function removeWill(keys, client, will)
  local _, _, _, owner = readWill(will)
  call('HDEL', keys.wills, client)
  call('ZREM', keys.willdue, client)
  call('ZREM', keys.owned, ownedMember(owner, 'w', client))
end

-- From now on no owner holds the will, and the store may hand it out.
local function scheduleWill(keys, client, will, dueAt)
  local epoch, delaySeconds, _, owner = readWill(will)
  call('HSET', keys.wills, client, pack('>dI4d', epoch, delaySeconds, dueAt) .. string.sub(will, 21))
  call('ZADD', keys.willdue, dueAt, client)
  call('ZREM', keys.owned, ownedMember(owner, 'w', client))
end

-- Takes the next change's list of changes to a session: expiry in seconds or empty, then four counted lists: cursors (filter, number,
-- cursor), outbound to set (packet identifier, message), outbound to delete, inbound to delete (packet identifiers).
local function takeChanges()
  local list = { expiry = take(), cursors = {}, set = {}, delete = {}, inbound = {} }
  for i = 1, tonumber(take()) do list.cursors[i] = { take(), take(), take() } end
  for i = 1, tonumber(take()) do list.set[i] = { take(), take() } end
  for i = 1, tonumber(take()) do list.delete[i] = take() end
  for i = 1, tonumber(take()) do list.inbound[i] = take() end
  return list
end

-- Applies them. Gives the cursors that moved, as filter, number …; and the inbound messages removed, as stored.
local function applyChanges(session, list)
  local moved, removed, fields = {}, {}, {}
  local function set(field, value)
    fields[#fields + 1], fields[#fields + 2] = field, value
    if #fields >= 1000 then
      call('HSET', session, _G.unpack(fields))
      fields = {}
    end
  end
  if list.expiry ~= '' then set('x', list.expiry) end
  for _, cursor in ipairs(list.cursors) do
    local found = call('HGET', session, 'k:' .. cursor[1])
    if found and string.sub(found, 1, 1) == 'A' then
      set('k:' .. cursor[1], cursor[3])
      moved[#moved + 1], moved[#moved + 2] = cursor[1], cursor[2]
    end
  end
  local order
  for _, message in ipairs(list.set) do
    local field = 'q:' .. message[1]
    local found = call('HGET', session, field)
    local place
    if found then
      place = string.sub(found, 1, 8)
    else
      order = (order or tonumber(call('HGET', session, 'c') or 0)) + 1
      place = pack('>d', order)
    end
    call('HSET', session, field, place .. message[2])
  end
  if order then set('c', whole(order)) end
  for _, packetId in ipairs(list.delete) do call('HDEL', session, 'q:' .. packetId) end
  for _, packetId in ipairs(list.inbound) do
    local found = call('HGET', session, 'i:' .. packetId)
    if found then
      removed[#removed + 1] = found
      call('HDEL', session, 'i:' .. packetId)
    end
  end
  if #fields > 0 then call('HSET', session, _G.unpack(fields)) end
  return moved, removed
end
