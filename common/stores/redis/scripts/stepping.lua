-- Takes steps of the lifecycle table, which is ARGV[3]: "<from><to>" joined by commas. Why one is
-- refused is said by the lifecycle, from the record before it.

local table_ = ARGV[3]

local function allowed(job, target)
  return string.find(table_, job.state .. target, 1, true) ~= nil
end

local function start(id, job, attempt, worker)
  if job.state == RUNNING then
    if tonumber(attempt) <= tonumber(job.attempt) then return '0' end
  elseif not allowed(job, RUNNING) then
    return '0'
  end
  write(id, job, RUNNING, 'attempt', attempt, 'worker', worker, 'start', latest(now, job.create))
  return '1'
end

local function finish(id, job, attempt, target, failed, reason, message)
  if not allowed(job, target) or attempt ~= (job.attempt or '0') then return '0' end
  if target == CANCELED and job.state == RUNNING and not job.cancel then return '0' end
  if (failed == '1') ~= (target == FAILED) then return '0' end
  local time = latest(now, job.start or job.create)
  write(id, job, target, 'finish', time)
  if failed == '1' then redis.call('HSET', 'job:' .. id, 'reason', reason, 'message', message) end
  ended(id, time)
  return '1'
end

-- "gone", or "1" or "0" for whether the step was taken, and the record before it.
local function step(id, attempt, target, worker, failed, reason, message)
  local job = find(id)
  if not job then return 'gone' end
  local taken
  if target == RUNNING then
    taken = start(id, job, attempt, worker)
  else
    taken = finish(id, job, attempt, target, failed, reason, message)
  end
  return { taken, job.flat }
end
