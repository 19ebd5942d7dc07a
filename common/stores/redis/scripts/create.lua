-- ARGV: ..., seconds for which a submit is remembered in microseconds, then for each job:
-- id, time, kind, request id, digest, submit id.
-- Returns for each: the record, or what is in the way: "withdrawn", "reused", "gone".

local remembered = tonumber(ARGV[3])
local answers = {}

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

local function create(id, time, kind, request, digest, submit)
  local before = met(submit)
  if before == '' then return 'withdrawn' end
  if before then
    local job = find(before)
    return job and { before, job.flat } or 'gone'
  end
  if request ~= '' then
    local known = redis.call('HMGET', 'request:' .. request, 'job', 'digest')
    local job = known[1] and find(known[1])
    if job then
      if known[2] ~= digest then return 'reused' end
      redis.call('SADD', 'dependents:' .. request, submit)
      note(submit, known[1])
      return { known[1], job.flat }
    end
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

for at = 4, #ARGV, 6 do
  answers[#answers + 1] = create(unpack(ARGV, at, at + 5))
end
return answers
