-- Entries: a hash entry:<id> each. visible: ids by place in line. leased: ids by the end of their
-- lease. tally: a hash with the numbers of jobs and bytes and the last places at both ends. A job
-- that is kept out: out:<id>, since when. wake: a list of at most one token for whoever waits.

local SHOWN = 200

local now = tonumber(ARGV[1])
local redelivered = {}

local function text(number)
  return string.format('%.0f', number)
end

-- Have one who waits look, if something is in line: it passes that on if it leaves something.
local function wake()
  if redis.call('LLEN', 'wake') == 0 and redis.call('ZCARD', 'visible') > 0 then
    redis.call('RPUSH', 'wake', '1')
  end
end

local function show_again(id)
  local place = redis.call('HINCRBY', 'tally', 'front', -1)
  redis.call('ZREM', 'leased', id)
  redis.call('ZADD', 'visible', place, id)
  redis.call('HSET', 'entry:' .. id, 'since', text(now))
  redelivered[#redelivered + 1] = { id, redis.call('HGET', 'entry:' .. id, 'attempt') }
end

local function remove(id)
  local size = redis.call('HGET', 'entry:' .. id, 'size')
  if not size then return false end
  redis.call('DEL', 'entry:' .. id)
  if redis.call('ZREM', 'visible', id) == 0 then redis.call('ZREM', 'leased', id) end
  redis.call('HINCRBY', 'tally', 'jobs', -1)
  redis.call('HINCRBY', 'tally', 'bytes', 0 - size)
  return true
end

local function leased_as(id, attempt)
  local known = redis.call('HGET', 'entry:' .. id, 'attempt')
  return known == attempt and redis.call('ZSCORE', 'leased', id)
end

for _, id in ipairs(redis.call('ZRANGE', 'leased', '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, SHOWN)) do
  show_again(id)
end
