#!lua
-- ARGV: now, retention, microseconds for which a submit is remembered, then for each job: id, time,
-- kind, request id, digest, submit id.
-- Returns for each "made", or an earlier one's id and record, with "gone" for a record that was
-- forgotten, or what is in the way: "withdrawn", "reused".

local remembered = tonumber(ARGV[3])
local answers = {}
sweep()
for at = 4, #ARGV, 6 do
  local request, digest, submit = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  answers[#answers + 1] = known(remembered, request, digest, submit)
    or make(remembered, unpack(ARGV, at, at + 5))
end
return answers
