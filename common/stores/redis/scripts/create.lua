#!lua
-- ARGV: now, retention, microseconds for which a submit is remembered, then for each job: id, time,
-- kind, request id, digest, submit id.
-- Returns for each "made", or an earlier one's id and record, with "gone" for a record that was
-- forgotten, or what is in the way: "withdrawn", "reused".

local remembered = tonumber(ARGV[3])
local answers = {}
sweep()
for at = 4, #ARGV, 6 do
  answers[#answers + 1] = create(remembered, unpack(ARGV, at, at + 5))
end
return answers
