-- Makes records, and finds those that were made before.

-- How long a submit is remembered, in microseconds.
local remembered = tonumber(ARGV[3])

local function note(submit, id)
  if submit ~= '' then
    redis.call('SET', 'submit:' .. submit, ARGV[1] .. ' ' .. id, 'PX', math.ceil(remembered / 1000))
  end
end

local function met(submit)
  local known = submit ~= '' and redis.call('GET', 'submit:' .. submit)
  if not known then return nil end
  local time, id = string.match(known, '^(%d+) (.*)$')
  if tonumber(time) + remembered < now then return nil end
  return id
end

-- The record of a submit or a request id that was met before, with its id; or what is in the way:
-- "withdrawn", "reused", "gone". Nothing for one that is new.
local function known(request, digest, submit)
  local before = met(submit)
  if before == '' then return 'withdrawn' end
  if before then
    local job = find(before)
    return job and { before, job.flat, job.state } or 'gone'
  end
  if request == '' then return nil end
  local first = redis.call('HMGET', 'request:' .. request, 'job', 'digest')
  local job = first[1] and find(first[1])
  if not job then return nil end
  if first[2] ~= digest then return 'reused' end
  redis.call('SADD', 'dependents:' .. request, submit)
  note(submit, first[1])
  return { first[1], job.flat, job.state }
end

-- Make a record for a submit that is new.
local function make(id, time, kind, request, digest, submit)
  if request ~= '' then
    redis.call('HSET', 'request:' .. request, 'job', id, 'digest', digest)
    redis.call('DEL', 'dependents:' .. request)
    redis.call('SADD', 'dependents:' .. request, submit)
  end
  local fields = { 'state', QUEUED, 'kind', kind, 'create', time }
  if request ~= '' then
    fields[#fields + 1] = 'request'
    fields[#fields + 1] = request
  end
  redis.call('HSET', 'job:' .. id, unpack(fields))
  redis.call('ZADD', index_of(QUEUED, kind), 0, id)
  redis.call('SADD', 'kinds', kind)
  note(submit, id)
  return { id, fields }
end
