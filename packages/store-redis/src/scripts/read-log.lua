-- Reads a page of a log.
--
-- KEYS  1: heads  2: ends  3: the log's stream
-- ARGV  1: filter  2: number to read from  3: messages to stop at  4: bytes to stop at
-- Gives last number, first number that is left, then pairs: number of a chunk's last message, chunk. Chunks hold more than asked for at either
--       end. Stops at the first chunk that reaches a bound, or after 1 MiB, so one page cannot stall the server.
local bytesMax, blockMax = math.min(tonumber(ARGV[4]), 1048576), 16
local head = redis.call('HGET', KEYS[1], ARGV[1])
if not head then
  local ends = redis.call('HMGET', KEYS[2], ARGV[1], '')
  local last = math.max(tonumber(ends[1] or 0), tonumber(ends[2] or 0))
  return { last, last + 1 }
end
local _, front, last = struct.unpack('>ddd', head)
local page, from = { last, front }, math.max(tonumber(ARGV[2]), front)
local messages, bytes, messagesMax = 0, 0, tonumber(ARGV[3])
local after, blocks = string.format('%.0f', from), 1
while from <= last and messages < messagesMax and bytes < bytesMax do
  local chunks = redis.call('XRANGE', KEYS[3], after, '+', 'COUNT', blocks)
  if #chunks == 0 then break end
  for _, entry in ipairs(chunks) do
    local id, chunk = entry[1], entry[2][2]
    page[#page + 1], page[#page + 2] = id, chunk
    local chunkLast = tonumber(string.match(id, '^%d+'))
    messages = messages + math.min(chunkLast - from + 1, struct.unpack('>I4', chunk))
    from = chunkLast + 1
    bytes = bytes + #chunk
    after = '(' .. id
    if messages >= messagesMax or bytes >= bytesMax then break end
  end
  blocks = blockMax
end
return page
