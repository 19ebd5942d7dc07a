-- Records: a hash job:<id> each. Lists: a sorted set index:<state>:<kind> each, by id, and the set
-- kinds. A request id: a hash request:<id> with its job, the digest and, while the job waits, a
-- field by:<submit> for each submit that relies on it. A submit of the last seconds: submit:<id>,
-- "<time> <job>", without a job if it was withdrawn. With a retention: the sorted set ended, by the
-- time of the end.

local QUEUED, RUNNING, DONE, FAILED, CANCELED = '1', '2', '3', '4', '5'
local SWEPT = 200

local now, retention = tonumber(ARGV[1]), tonumber(ARGV[2])

local function index_of(state, kind)
  return 'index:' .. state .. ':' .. kind
end

-- The record by its fields, or nil, also for one whose time is over.
local function find(id)
  local flat = redis.call('HGETALL', 'job:' .. id)
  if #flat == 0 then return nil end
  local job = { flat = flat }
  for at = 1, #flat, 2 do job[flat[at]] = flat[at + 1] end
  if retention > 0 and job.finish and tonumber(job.finish) + retention <= now then return nil end
  return job
end

local function drop(id, job)
  redis.call('DEL', 'job:' .. id)
  redis.call('ZREM', index_of(job.state, job.kind), id)
  if not job.request then return end
  -- One whose time was over may have lost its request id to the next.
  local request = 'request:' .. job.request
  if redis.call('HGET', request, 'job') == id then redis.call('DEL', request) end
end

local function write(id, job, state, ...)
  redis.call('HSET', 'job:' .. id, 'state', state, ...)
  if state == job.state then return end
  redis.call('ZREM', index_of(job.state, job.kind), id)
  redis.call('ZADD', index_of(state, job.kind), 0, id)
end

-- The later of two times, as text.
local function latest(time, other)
  if tonumber(other) > time then return other end
  return string.format('%.0f', time)
end

local function ended(id, finish)
  if retention > 0 then redis.call('ZADD', 'ended', finish, id) end
end

local function note(submit, id, remembered)
  if submit == '' then return end
  redis.call('SET', 'submit:' .. submit, ARGV[1] .. ' ' .. id, 'PX', math.ceil(remembered / 1000))
end

-- The job of a submit that was met before, "" if it was withdrawn, nil if it is new.
local function met(submit, remembered)
  local known = submit ~= '' and redis.call('GET', 'submit:' .. submit)
  if not known then return nil end
  local time, id = string.match(known, '^(%d+) (.*)$')
  return tonumber(time) + remembered >= now and id or nil
end

-- The record of a submit or a request id that was met before, with its id, or what is in the way.
-- Nothing for one that is new.
local function known(remembered, request, digest, submit)
  local before = met(submit, remembered)
  if before == '' then return 'withdrawn' end
  if before then
    local job = find(before)
    return { before, job and job.flat or 'gone', job and job.state }
  end
  if request == '' then return nil end
  local key = 'request:' .. request
  local first = redis.call('HMGET', key, 'job', 'digest')
  local job = first[1] and find(first[1])
  if not job then return nil end
  if first[2] ~= digest then return 'reused' end
  if job.state == QUEUED then redis.call('HSET', key, 'by:' .. submit, '') end
  note(submit, first[1], remembered)
  return { first[1], job.flat, job.state }
end

-- Make the record of one that is new. Returns "made".
local function make(remembered, id, time, kind, request, digest, submit)
  local fields = { 'state', QUEUED, 'kind', kind, 'create', time }
  if request ~= '' then
    local key = 'request:' .. request
    redis.call('DEL', key)
    redis.call('HSET', key, 'job', id, 'digest', digest, 'by:' .. submit, '')
    fields[7], fields[8] = 'request', request
  end
  redis.call('HSET', 'job:' .. id, unpack(fields))
  redis.call('ZADD', index_of(QUEUED, kind), 0, id)
  redis.call('SADD', 'kinds', kind)
  note(submit, id, remembered)
  return 'made'
end

local function allowed(steps, job, target)
  return string.find(steps, job.state .. target, 1, true) ~= nil
end

-- Begin an execution; a higher attempt replaces a lost one. Returns whether it was begun.
local function start(steps, id, job, attempt, worker)
  if job.state == RUNNING then
    if tonumber(attempt) <= tonumber(job.attempt) then return false end
  elseif not allowed(steps, job, RUNNING) then
    return false
  end
  write(id, job, RUNNING, 'attempt', attempt, 'worker', worker, 'start', latest(now, job.create))
  return true
end

-- End the current execution; "1" in failed goes with FAILED. Returns whether it was ended.
local function finish(steps, id, job, attempt, target, failed, reason, message)
  if not allowed(steps, job, target) or attempt ~= (job.attempt or '0') then return false end
  if target == CANCELED and job.state == RUNNING and not job.cancel then return false end
  if (failed == '1') ~= (target == FAILED) then return false end
  local time = latest(now, job.start or job.create)
  if failed == '1' then
    write(id, job, target, 'finish', time, 'reason', reason, 'message', message)
  else
    write(id, job, target, 'finish', time)
  end
  ended(id, time)
  return true
end

-- Take a step. Returns "gone", or 1 or 0 for whether it was taken, and the record before it.
local function step(steps, id, attempt, target, worker, failed, reason, message)
  local job = find(id)
  if not job then return 'gone' end
  local taken
  if target == RUNNING then
    taken = start(steps, id, job, attempt, worker)
  else
    taken = finish(steps, id, job, attempt, target, failed, reason, message)
  end
  return { taken and 1 or 0, job.flat }
end

-- Cancel one that waits, mark one that runs.
local function cancel(id, job)
  if job.state == QUEUED then
    local time = latest(now, job.create)
    write(id, job, CANCELED, 'cancel', '1', 'finish', time)
    ended(id, time)
  elseif job.state == RUNNING and not job.cancel then
    write(id, job, RUNNING, 'cancel', '1')
  end
end

-- Forget one that waits. Returns whether it was forgotten.
local function forget(id, job)
  if job.state ~= QUEUED then return false end
  drop(id, job)
  return true
end

-- Forget one that waits, and on which no other submit than this one relies.
local function withdraw(id, job, submit)
  if job.request and job.state == QUEUED then
    local request = 'request:' .. job.request
    redis.call('HDEL', request, 'by:' .. submit)
    if redis.call('HLEN', request) > 2 then return false end
  end
  return forget(id, job)
end

-- Forget some of those whose time is over.
local function sweep()
  if retention == 0 then return end
  local over = string.format('%.0f', now - retention)
  for _, id in ipairs(redis.call('ZRANGE', 'ended', '-inf', over, 'BYSCORE', 'LIMIT', 0, SWEPT)) do
    local flat = redis.call('HMGET', 'job:' .. id, 'state', 'kind', 'request')
    if flat[1] then drop(id, { state = flat[1], kind = flat[2], request = flat[3] or nil }) end
    redis.call('ZREM', 'ended', id)
  end
end
