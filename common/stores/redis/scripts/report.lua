#!lua flags=allow-oom
-- ARGV: who asks, milliseconds. Returns 1 or 0 for whether it is the one who reports what all share,
-- for as long as it keeps asking; and the time, as seconds and microseconds.

local who = redis.call('GET', 'reporter')
if not who or who == ARGV[1] then redis.call('SET', 'reporter', ARGV[1], 'PX', ARGV[2]) end
local time = redis.call('TIME')
return { (not who or who == ARGV[1]) and 1 or 0, tonumber(time[1]), tonumber(time[2]) }
