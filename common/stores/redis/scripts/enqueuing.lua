-- Adds entries while there is room.

-- What is in the way of an entry more, "jobs" or "bytes", or "".
local function room(size, most_jobs, most_bytes)
  local tally = redis.call('HMGET', 'tally', 'jobs', 'bytes')
  if tonumber(tally[1] or 0) >= most_jobs then return 'jobs' end
  if tonumber(tally[2] or 0) + size > most_bytes then return 'bytes' end
  return ''
end

local function add(id, kind, payload, timeout, correlation)
  redis.call('HINCRBY', 'tally', 'jobs', 1)
  redis.call('HINCRBY', 'tally', 'bytes', #payload)
  redis.call('HSET', 'entry:' .. id, 'kind', kind, 'payload', payload, 'timeout', timeout,
    'correlation', correlation, 'attempt', '0', 'size', #payload, 'since', text(now))
  redis.call('ZADD', 'visible', redis.call('HINCRBY', 'tally', 'back', 1), id)
end
