#!lua
-- ARGV: now, microseconds for which a job is kept out, most jobs, most bytes, then for each entry:
-- id, kind, payload, timeout or "", correlation id.
-- Returns for each "", or what is in the way: "out", "jobs", "bytes".

local limits = {
  kept_out = tonumber(ARGV[2]), jobs = tonumber(ARGV[3]), bytes = tonumber(ARGV[4]) }
local known = redis.call('HMGET', 'tally', 'jobs', 'bytes', 'back')
local tally = {
  jobs = tonumber(known[1] or 0), bytes = tonumber(known[2] or 0), back = tonumber(known[3] or 0) }

local words = {}
for at = 5, #ARGV, 5 do
  words[#words + 1] = enqueue(tally, limits, unpack(ARGV, at, at + 4))
end
redis.call('HSET', 'tally',
  'jobs', text(tally.jobs), 'bytes', text(tally.bytes), 'back', text(tally.back))
wake()
return words
