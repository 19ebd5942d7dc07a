#!lua flags=allow-oom
-- ARGV: now, retention, then ids. Returns for each the record as it was before, or "gone".

local answers = {}
for at = 3, #ARGV do
  local job = find(ARGV[at])
  if job then cancel(ARGV[at], job) end
  answers[#answers + 1] = job and job.flat or 'gone'
end
return answers
