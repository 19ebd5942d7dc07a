-- ARGV: ..., then ids. Returns for each "gone", or "1" or "0" for whether it was forgotten, and the
-- record as it was before.

local answers = {}
for at = 3, #ARGV do
  local id = ARGV[at]
  local job = find(id)
  answers[#answers + 1] = job and { forget(id, job) and '1' or '0', job.flat } or 'gone'
end
return answers
