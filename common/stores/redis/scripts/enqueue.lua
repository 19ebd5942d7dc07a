-- ARGV: now, microseconds for which a job is kept out, most jobs, most bytes, then for each entry:
-- id, kind, payload, timeout or "", correlation id.
-- Returns the word for each, "" or what is in the way: "out", "jobs", "bytes"; and redeliveries.

local kept_out, most_jobs, most_bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local words = {}

local function enqueue(id, kind, payload, timeout, correlation)
  if redis.call('EXISTS', 'entry:' .. id) == 1 then return '' end
  local out = redis.call('GET', 'out:' .. id)
  if out and tonumber(out) + kept_out >= now then return 'out' end
  local word = room(#payload, most_jobs, most_bytes)
  if word == '' then add(id, kind, payload, timeout, correlation) end
  return word
end

for at = 5, #ARGV, 5 do
  words[#words + 1] = enqueue(unpack(ARGV, at, at + 4))
end
wake()
return { words, redelivered }
