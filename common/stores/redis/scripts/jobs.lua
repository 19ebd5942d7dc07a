-- Records: a hash job:<id> each. Lists: a sorted set index:<state>:<kind> each, by id, and the set
-- kinds. A request id: a hash request:<id>, and dependents:<id>, the submits that rely on its job.
-- A submit of the last seconds: submit:<id>, "<time> <job>", without a job if it was withdrawn.
-- With a retention: the sorted set ended, by the time of the end.

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
  if job.request then redis.call('DEL', 'request:' .. job.request, 'dependents:' .. job.request) end
  redis.call('DEL', 'job:' .. id)
  redis.call('ZREM', index_of(job.state, job.kind), id)
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

-- Cancel one that waits, mark one that runs.
local function cancel(id, job)
  if job.state == QUEUED then
    local finish = latest(now, job.create)
    write(id, job, CANCELED, 'cancel', '1', 'finish', finish)
    ended(id, finish)
  elseif job.state == RUNNING and not job.cancel then
    write(id, job, RUNNING, 'cancel', '1')
  end
end

-- Forget one that waits.
local function forget(id, job)
  if job.state ~= QUEUED then return false end
  drop(id, job)
  return true
end

-- Forget one on which no other submit than this one relies.
local function withdraw(id, job, submit)
  if job.request then
    local dependents = 'dependents:' .. job.request
    redis.call('SREM', dependents, submit)
    if redis.call('SCARD', dependents) > 0 then return false end
  end
  return forget(id, job)
end

if retention > 0 then
  local over = string.format('%.0f', now - retention)
  for _, id in ipairs(redis.call('ZRANGE', 'ended', '-inf', over, 'BYSCORE', 'LIMIT', 0, SWEPT)) do
    local flat = redis.call('HMGET', 'job:' .. id, 'state', 'kind', 'request')
    if flat[1] then drop(id, { state = flat[1], kind = flat[2], request = flat[3] or nil }) end
    redis.call('ZREM', 'ended', id)
  end
end
