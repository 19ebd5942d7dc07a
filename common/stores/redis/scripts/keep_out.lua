#!lua flags=allow-oom
-- ARGV: now, microseconds for which a job is kept out, then ids. Returns for each 1 or 0: whether it
-- is absent.

local absent = {}
for at = 3, #ARGV do
  local out = redis.call('EXISTS', 'entry:' .. ARGV[at]) == 0
  if out then redis.call('SET', 'out:' .. ARGV[at], ARGV[1], 'PX', math.ceil(ARGV[2] / 1000)) end
  absent[#absent + 1] = out and 1 or 0
end
return absent
