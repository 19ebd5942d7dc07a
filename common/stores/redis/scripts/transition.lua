#!lua flags=allow-oom
-- ARGV: now, retention, the steps of the lifecycle table as "<from><to>" joined by commas, then for
-- each step: id, attempt, target, worker, "1" with a failure, its reason, its message.
-- Returns for each "gone", or 1 or 0 for whether it was taken, and the record before it. Why a step
-- is refused is said by the lifecycle, from that record.

local steps = ARGV[3]
local answers = {}
sweep()
for at = 4, #ARGV, 7 do
  local id, attempt, target, worker, failed, reason, message = unpack(ARGV, at, at + 6)
  local job = find(id)
  local taken
  if job and target == RUNNING then
    taken = start(steps, id, job, attempt, worker)
  elseif job then
    taken = finish(steps, id, job, attempt, target, failed, reason, message)
  end
  answers[#answers + 1] = job and { taken and 1 or 0, job.flat } or 'gone'
end
return answers
