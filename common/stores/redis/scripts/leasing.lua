-- Leases entries.

-- Lease the first in line, as many as fit into a message; returns for each: id, attempt, kind,
-- payload, timeout or "", correlation id.
local function lease_first(most_jobs, most_bytes, lease)
  local until_ = text(now + lease)
  local taken, bytes = {}, 0
  while #taken < most_jobs do
    local id = redis.call('ZRANGE', 'visible', 0, 0)[1]
    if not id then break end
    local entry = redis.call(
      'HMGET', 'entry:' .. id, 'kind', 'payload', 'timeout', 'correlation', 'size')
    bytes = bytes + tonumber(entry[5])
    if #taken > 0 and bytes > most_bytes then break end
    redis.call('ZREM', 'visible', id)
    redis.call('ZADD', 'leased', until_, id)
    local attempt = redis.call('HINCRBY', 'entry:' .. id, 'attempt', 1)
    taken[#taken + 1] = { id, attempt, entry[1], entry[2], entry[3], entry[4] }
  end
  return taken
end

local function next_end()
  return redis.call('ZRANGE', 'leased', 0, 0, 'WITHSCORES')[2] or ''
end
