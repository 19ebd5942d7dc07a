-- ARGV: ..., the steps of the lifecycle table as "<from><to>" joined by commas, then for each step:
-- id, attempt, target, worker, "1" with a failure, its reason, its message.
-- Returns for each: "gone", or "1" or "0" for whether it was taken, and the record before it.
-- Why a step is refused is said by the lifecycle, from that record.

local table_ = ARGV[3]
local answers = {}

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

for at = 4, #ARGV, 7 do
  local id, attempt, target, worker, failed, reason, message = unpack(ARGV, at, at + 6)
  local job = find(id)
  if not job then
    answers[#answers + 1] = 'gone'
  elseif target == RUNNING then
    answers[#answers + 1] = { start(id, job, attempt, worker), job.flat }
  else
    local taken = finish(id, job, attempt, target, failed, reason, message)
    answers[#answers + 1] = { taken, job.flat }
  end
end
return answers
