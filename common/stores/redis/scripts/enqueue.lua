#!lua
-- ARGV: now, microseconds for which a job is kept out, most jobs, most bytes, then for each entry:
-- id, kind, payload, timeout or "", correlation id.
-- Returns for each "", or what is in the way: "out", "jobs", "bytes".

local limits = {
  kept_out = tonumber(ARGV[2]), jobs = tonumber(ARGV[3]), bytes = tonumber(ARGV[4]) }
local tally = tally_of()
local words = {}
for at = 5, #ARGV, 5 do
  words[#words + 1] = enqueue(tally, limits, unpack(ARGV, at, at + 4))
end
write_tally(tally)
wake()
return words
