-- ARGV: ..., then ids. Returns for each the record as it was before, or "gone".

local answers = {}
for at = 3, #ARGV do
  local id = ARGV[at]
  local job = find(id)
  if job then cancel(id, job) end
  answers[#answers + 1] = job and { id, job.flat } or 'gone'
end
return answers
