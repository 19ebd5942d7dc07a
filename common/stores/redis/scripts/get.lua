#!lua flags=no-writes
-- ARGV: now, retention, then ids. Returns the record of each, or "gone".

local answers = {}
for at = 3, #ARGV do
  local job = find(ARGV[at])
  answers[#answers + 1] = job and job.flat or 'gone'
end
return answers
