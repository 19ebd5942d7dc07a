#!lua flags=allow-oom
-- ARGV: now, retention, then ids. Returns for each "gone", or 1 or 0 for whether it was forgotten,
-- and the record before.

local answers = {}
for at = 3, #ARGV do
  local job = find(ARGV[at])
  answers[#answers + 1] = job and { forget(ARGV[at], job) and 1 or 0, job.flat } or 'gone'
end
return answers
