-- ARGV: ..., for how long a submit is remembered, then for each job: id, time, kind, request id,
-- digest, submit id. Returns for each its record with its id, or what is in the way.

local answers = {}
for at = 4, #ARGV, 6 do
  local request, digest, submit = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  answers[#answers + 1] = known(request, digest, submit) or make(unpack(ARGV, at, at + 5))
end
return answers
