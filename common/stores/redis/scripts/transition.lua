#!lua flags=allow-oom
-- ARGV: now, retention, the steps of the lifecycle table as "<from><to>" joined by commas, then for
-- each step: id, attempt, target, worker, "1" with a failure, its reason, its message.
-- Returns for each "gone", or 1 or 0 for whether it was taken, and the record before it. Why a step
-- is refused is said by the lifecycle, from that record.

local steps = ARGV[3]
local answers = {}
sweep()
for at = 4, #ARGV, 7 do answers[#answers + 1] = step(steps, unpack(ARGV, at, at + 6)) end
return answers
