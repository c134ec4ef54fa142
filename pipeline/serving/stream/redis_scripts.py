"""What happens inside the Redis server: each script is one step that nobody else comes between.

Effects are undone by nobody, so a script looks at all that could refuse it (a key of a wrong type, a larger token)
before its first write. A full or read-only server refuses the first write itself.

Keys of an inlet, for the stream `tickets` and the group `triage`:

======================== ======= ==============================================================================
`tickets:0` …            stream  the partitions
`tickets:meta`           hash    `partitions`: how many there are
`tickets:triage:workers` zset    worker → until when it counts as alive, in ms of the server's clock
`tickets:triage:lives`   hash    worker → the one process that may act under this name
`tickets:triage:owners`  hash    partition → worker
`tickets:triage:tokens`  hash    partition → its fencing token
`tickets:dead`           stream  dead letters
`tickets:dead:positions` hash    position → id of its letter
======================== ======= ==============================================================================

Keys of an outlet, for the stream `scored`: `scored` (stream), `scored:fence:SOURCE` (hash, partition → largest token
seen of that source), and one `scored:key:KEY` for each result, which lapses.
"""

from __future__ import annotations

_PARTITIONS = """
local function partitions(meta, wished, usual)
  local count = redis.call('HGET', meta, 'partitions')
  if not count then
    count = wished ~= '' and wished or usual
    redis.call('HSET', meta, 'partitions', count)
  end
  return tonumber(count)
end
"""

TEND = (
    _PARTITIONS
    + """
-- KEYS: meta, workers, lives, owners, tokens
-- ARGV: worker, life, whether this life begins, claim in ms, wished partitions or '', usual partitions, busy ones…
-- gives: count, 'ok' | 'other life' | 'other count', partition, token, partition, token, …
local workers, lives, owners, tokens = KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local worker, life, begins, claim = ARGV[1], ARGV[2], ARGV[3] == '1', tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local count = partitions(KEYS[1], ARGV[5], ARGV[6])
if ARGV[5] ~= '' and tonumber(ARGV[5]) ~= count then return {count, 'other count'} end
local busy = {}
for i = 7, #ARGV do busy[ARGV[i]] = true end

for _, silent in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', now)) do
  redis.call('ZREM', workers, silent)
  redis.call('HDEL', lives, silent)
end

-- A second process under one name: the one that began later acts, the earlier one is a zombie.
local known = redis.call('HGET', lives, worker)
if known and known ~= life and not begins then return {count, 'other life'} end
redis.call('ZADD', workers, string.format('%.0f', now + claim), worker)
redis.call('HSET', lives, worker, life)

-- The shares add up to the count: of 4 partitions, three workers have 2, 1 and 1, by their names.
local names, rank = redis.call('ZRANGE', workers, 0, -1), 0
for _, name in ipairs(names) do if name < worker then rank = rank + 1 end end
local share = math.floor(count / #names)
if rank < count % #names then share = share + 1 end

local mine, free = {}, {}
for p = 0, count - 1 do
  local owner = redis.call('HGET', owners, p)
  if owner == worker then mine[#mine + 1] = p
  elseif not owner or not redis.call('ZSCORE', workers, owner) then free[#free + 1] = p end
end
local surplus, kept = #mine - share, {}
for i = #mine, 1, -1 do
  if surplus > 0 and not busy[tostring(mine[i])] then
    redis.call('HDEL', owners, mine[i])
    surplus = surplus - 1
  else
    table.insert(kept, 1, mine[i])
  end
end

-- A token is never smaller than the time: one that a crash of the server made it forget isn't given out again.
local function raise(p)
  local token = math.max((redis.call('HGET', tokens, p) or 0) + 1, now)
  redis.call('HSET', tokens, p, string.format('%.0f', token))
  redis.call('HSET', owners, p, worker)
end
if known ~= life then for _, p in ipairs(kept) do raise(p) end end
for _, p in ipairs(free) do
  if #kept >= share then break end
  raise(p)
  kept[#kept + 1] = p
end

local answer = {count, 'ok'}
for _, p in ipairs(kept) do
  answer[#answer + 1] = p
  answer[#answer + 1] = redis.call('HGET', tokens, p)
end
return answer
"""
)

LEAVE = """
-- KEYS: workers, lives, owners     ARGV: worker, life
local worker = ARGV[1]
if redis.call('HGET', KEYS[2], worker) ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[1], worker)
redis.call('HDEL', KEYS[2], worker)
local owners = redis.call('HGETALL', KEYS[3])
for i = 1, #owners, 2 do
  if owners[i + 1] == worker then redis.call('HDEL', KEYS[3], owners[i]) end
end
return 1
"""

_GROUPS = """
local function fields(flat)
  local named = {}
  for i = 1, #flat, 2 do named[flat[i]] = flat[i + 1] end
  return named
end

local function groups(stream)
  local found = redis.pcall('XINFO', 'GROUPS', stream)
  if not found.err then return found end
  if redis.call('EXISTS', stream) == 0 then return {} end
  return redis.call('XINFO', 'GROUPS', stream)  -- raises what is wrong with it
end

local function group_of(stream, name)
  for _, flat in ipairs(groups(stream)) do
    local group = fields(flat)
    if group['name'] == name then return group end
  end
end
"""

TAKE = (
    _GROUPS
    + """
-- KEYS: tokens, streams…
-- ARGV: group, most, bytes, whether the batch begins, then for each stream its partition and its token
-- gives: {lost partitions}, 'one' | 'full' | 'more', {entries}, {for each stream where its reading stands, or ''}
-- An entry: partition, id, tries, value, and its key if it has one.
local group, most, room, begins = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local lost, taken, stands, size = {}, {}, {}, 0

local function entry(p, tries, found)
  local named = fields(found[2])
  local value, key = named['value'] or '', named['key']
  if key then return {p, found[1], tries, value, key} end
  return {p, found[1], tries, value}
end

-- Only who holds the token may read. So whatever is pending when a new owner first looks is all that its forerunners
-- ever read: none of them can read any more, however late it wakes, and no list of them has to be made twice.
for i = 2, #KEYS do
  local stream, p, token = KEYS[i], ARGV[2 * i + 1], ARGV[2 * i + 2]
  stands[i - 1] = ''
  if redis.call('HGET', KEYS[1], p) ~= token then
    lost[#lost + 1] = p
  else
    local standing = group_of(stream, group)
    if standing then
      stands[i - 1] = standing['last-delivered-id']
    else
      redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
      stands[i - 1] = '0-0'
    end
  end
end

-- What was read and isn't done was begun, by this worker or by one before it. It comes one by one and the oldest
-- first, so that the one that kills its worker is the only one whose count grows. In the middle of a batch nothing is
-- pending but the batch.
if begins then
  for i = 2, #KEYS do
    while stands[i - 1] ~= '' do
      local pending = redis.call('XPENDING', KEYS[i], group, '-', '+', 1)[1]
      if not pending then break end
      local found = redis.call('XCLAIM', KEYS[i], group, 'owner', 0, pending[1])[1]
      if found and found[2] then  -- the claim counts as one more delivery
        return {lost, 'one', {entry(ARGV[2 * i + 1], pending[4] + 1, found)}, stands}
      end
      redis.call('XACK', KEYS[i], group, pending[1])  -- it was deleted from the stream
    end
  end
end

for i = 2, #KEYS do
  local stream, p = KEYS[i], ARGV[2 * i + 1]
  while stands[i - 1] ~= '' do
    if #taken >= most then return {lost, 'full', taken, stands} end
    -- Looked at before it is read: what is read has to be delivered, or its count would be wrong.
    local ahead = redis.call('XRANGE', stream, '(' .. stands[i - 1], '+', 'COUNT', 1)[1]
    if not ahead then break end
    local bytes = #(fields(ahead[2])['value'] or '')
    if (#taken > 0 or not begins) and size + bytes > room then return {lost, 'full', taken, stands} end
    local read = redis.call('XREADGROUP', 'GROUP', group, 'owner', 'COUNT', 1, 'STREAMS', stream, '>')
    local found = read[1][2][1]
    taken[#taken + 1] = entry(p, 1, found)
    stands[i - 1] = found[1]
    size = size + bytes
  end
end
return {lost, #taken >= most and 'full' or 'more', taken, stands}
"""
)

DONE = (
    _GROUPS
    + """
-- KEYS: stream     ARGV: group, whether to trim, ids…
-- No token is asked for: who says this has its result or its dead letter safe, and then it is done whoever owns it.
for i = 3, #ARGV do redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) end
if ARGV[2] ~= '1' then return end

local function earlier(a, b)  -- ids are two numbers, and too large to be numbers here
  local am, as = string.match(a, '(%d+)-(%d+)')
  local bm, bs = string.match(b, '(%d+)-(%d+)')
  if #am ~= #bm then return #am < #bm end
  if am ~= bm then return am < bm end
  if #as ~= #bs then return #as < #bs end
  return as < bs
end
-- What any group hasn't done stays. The last that was delivered stays too, as the id after it can't be computed here.
local from
for _, flat in ipairs(groups(KEYS[1])) do
  local group = fields(flat)
  local oldest = redis.call('XPENDING', KEYS[1], group['name'])[2] or group['last-delivered-id']
  if not from or earlier(oldest, from) then from = oldest end
end
if from then redis.call('XTRIM', KEYS[1], 'MINID', from) end
"""
)

LAG = (
    _GROUPS
    + """
-- KEYS: streams…     ARGV: group     gives: how many aren't done, or -1 where the server doesn't know
local sum = 0
for _, stream in ipairs(KEYS) do
  local group = group_of(stream, ARGV[1])
  if not group then
    sum = sum + redis.call('XLEN', stream)
  elseif not group['lag'] then
    return -1
  else
    sum = sum + group['lag'] + group['pending']
  end
end
return sum
"""
)

PUT = (
    _PARTITIONS
    + """
-- KEYS: meta     ARGV: stream, the sender's count or '', wished count or '', usual count, then for each message
-- its partition, whether it has a key, key, value     gives: the count; nothing is sent if the sender's is another
local count = partitions(KEYS[1], ARGV[3], ARGV[4])
if tonumber(ARGV[2]) ~= count then return count end
for p = 0, count - 1 do redis.call('XLEN', ARGV[1] .. ':' .. p) end
for i = 5, #ARGV, 4 do
  local stream = ARGV[1] .. ':' .. ARGV[i]
  if ARGV[i + 1] == '1' then redis.call('XADD', stream, '*', 'key', ARGV[i + 2], 'value', ARGV[i + 3])
  else redis.call('XADD', stream, '*', 'value', ARGV[i + 3]) end
end
return count
"""
)

OWN = """
-- KEYS: fence     ARGV: partition, token, partition, token, …
for i = 1, #ARGV, 2 do
  local seen = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or 0)
  if tonumber(ARGV[i + 1]) > seen then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
"""

_APPEND = """
local function append(list, ...)
  for _, part in ipairs({...}) do list[#list + 1] = part end
end
"""

WRITE = (
    _APPEND
    + """
-- KEYS: fence, stream
-- ARGV: partition, token, prefix of keys, seconds to keep them, maxlen or '', then for each result its key,
-- whether it has a ticket id, ticket id, value     gives: how many were new, or -1 if the token is too small
local seen = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
if tonumber(ARGV[2]) < seen then return -1 end
redis.call('XLEN', KEYS[2])  -- a wrong type is refused before a key is kept
-- The fence is raised here too: the server may have lost it since `own`.
if tonumber(ARGV[2]) > seen then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
local new = 0
for i = 6, #ARGV, 4 do
  if redis.call('SET', ARGV[3] .. ARGV[i], '1', 'NX', 'EX', ARGV[4]) then
    local add = {'XADD', KEYS[2]}
    if ARGV[5] ~= '' then append(add, 'MAXLEN', '~', ARGV[5]) end
    append(add, '*', 'key', ARGV[i])
    if ARGV[i + 1] == '1' then append(add, 'ticket_id', ARGV[i + 2]) end
    append(add, 'value', ARGV[i + 3])
    redis.call(unpack(add))
    new = new + 1
  end
end
return new
"""
)

BURY = (
    _APPEND
    + """
-- KEYS: letters, positions     ARGV: for each letter code, tries, position, died_at, whether it has a key, key, value
redis.call('XLEN', KEYS[1])
for i = 1, #ARGV, 7 do
  if redis.call('HEXISTS', KEYS[2], ARGV[i + 2]) == 0 then
    local add = {'XADD', KEYS[1], '*', 'code', ARGV[i], 'tries', ARGV[i + 1], 'position', ARGV[i + 2]}
    append(add, 'died_at', ARGV[i + 3], 'value', ARGV[i + 6])
    if ARGV[i + 4] == '1' then append(add, 'key', ARGV[i + 5]) end
    redis.call('HSET', KEYS[2], ARGV[i + 2], redis.call(unpack(add)))
  end
end
"""
)

RETRY = (
    _GROUPS
    + """
-- KEYS: letters, positions, stream of its partition     ARGV: id or '', position     gives: whether it was there
redis.call('HLEN', KEYS[2])
local id = ARGV[1] ~= '' and ARGV[1] or redis.call('HGET', KEYS[2], ARGV[2])
local found = id and redis.call('XRANGE', KEYS[1], id, id)[1]
if not found then return 0 end
local named = fields(found[2])
if named['key'] then redis.call('XADD', KEYS[3], '*', 'key', named['key'], 'value', named['value'])
else redis.call('XADD', KEYS[3], '*', 'value', named['value']) end
redis.call('XDEL', KEYS[1], id)
redis.call('HDEL', KEYS[2], ARGV[2])
return 1
"""
)
