-- Entries: a hash entry:<id> each. visible: ids by place in line. leased: ids by the end of their
-- lease. tally: a hash with the number of jobs and of their bytes, and the last places at both ends.
-- A job that is kept out: out:<id>, since when. wake: a list of at most one token, for whoever waits.

local SHOWN = 500

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

-- What is in the queue, with changes that are written down at the end.
local function tally_of()
  local known = redis.call('HMGET', 'tally', 'jobs', 'bytes', 'back')
  return {
    jobs = tonumber(known[1] or 0), bytes = tonumber(known[2] or 0), back = tonumber(known[3] or 0) }
end

local function write_tally(tally)
  redis.call('HSET', 'tally',
    'jobs', text(tally.jobs), 'bytes', text(tally.bytes), 'back', text(tally.back))
end

-- What is in the way of one more, "jobs" or "bytes", or "".
local function room(tally, limits, payload)
  if tally.jobs >= limits.jobs then return 'jobs' end
  if tally.bytes + #payload > limits.bytes then return 'bytes' end
  return ''
end

-- Add one at the end.
local function add(tally, id, kind, payload, timeout, correlation)
  tally.jobs, tally.bytes, tally.back = tally.jobs + 1, tally.bytes + #payload, tally.back + 1
  redis.call('HSET', 'entry:' .. id, 'kind', kind, 'payload', payload, 'timeout', timeout,
    'correlation', correlation, 'attempt', '0', 'since', text(now))
  redis.call('ZADD', 'visible', text(tally.back), id)
end

-- Add one at the end unless it is there. Returns "", or what is in the way: "out", "jobs", "bytes".
local function enqueue(tally, limits, id, kind, payload, timeout, correlation)
  if redis.call('EXISTS', 'entry:' .. id) == 1 then return '' end
  local out = redis.call('GET', 'out:' .. id)
  if out and tonumber(out) + limits.kept_out >= now then return 'out' end
  local word = room(tally, limits, payload)
  if word == '' then add(tally, id, kind, payload, timeout, correlation) end
  return word
end

-- Show one again, ahead of all others.
local function show_again(id)
  local entry = 'entry:' .. id
  redis.call('ZREM', 'leased', id)
  redis.call('ZADD', 'visible', redis.call('HINCRBY', 'tally', 'front', -1), id)
  redis.call('HSET', entry, 'since', text(now))
  redelivered[#redelivered + 1] = { id, redis.call('HGET', entry, 'attempt') }
end

-- Remove one, leased or not. Returns whether it was there.
local function remove(id)
  local entry = 'entry:' .. id
  if redis.call('ZREM', 'visible', id) == 0 and redis.call('ZREM', 'leased', id) == 0 then
    return false
  end
  redis.call('HINCRBY', 'tally', 'jobs', -1)
  redis.call('HINCRBY', 'tally', 'bytes', 0 - redis.call('HSTRLEN', entry, 'payload'))
  redis.call('DEL', entry)
  return true
end

local function leased_as(id, attempt)
  local ends = redis.call('ZSCORE', 'leased', id)
  return ends and tonumber(ends) > now and redis.call('HGET', 'entry:' .. id, 'attempt') == attempt
end

local function renew(id, attempt, ends)
  if not leased_as(id, attempt) then return false end
  redis.call('ZADD', 'leased', ends, id)
  return true
end

local function release(id, attempt)
  if leased_as(id, attempt) then show_again(id) end
end

-- Show some of those again whose lease has ended.
local function expire()
  local over = redis.call('ZRANGE', 'leased', '-inf', text(now), 'BYSCORE', 'LIMIT', 0, SHOWN)
  for _, id in ipairs(over) do show_again(id) end
end

-- Lease the first in line, up to so many jobs and bytes, but at least one.
local function take(most_jobs, most_bytes, ends)
  local taken, bytes = {}, 0
  if most_jobs == 0 then return taken end
  for _, id in ipairs(redis.call('ZRANGE', 'visible', 0, most_jobs - 1)) do
    local entry = 'entry:' .. id
    local known = redis.call('HMGET', entry, 'kind', 'payload', 'timeout', 'correlation')
    bytes = bytes + #known[2]
    if #taken > 0 and bytes > most_bytes then break end
    redis.call('ZREM', 'visible', id)
    redis.call('ZADD', 'leased', ends, id)
    local attempt = redis.call('HINCRBY', entry, 'attempt', 1)
    taken[#taken + 1] = { id, attempt, unpack(known) }
  end
  return taken
end
