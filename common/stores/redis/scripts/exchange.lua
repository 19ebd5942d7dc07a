#!lua flags=allow-oom
-- ARGV: now, retention, then what exchange takes. Returns what it does.
-- There is always room for what ends a job, for that makes room.

sweep()
local answer = exchange(3)
wake()
return answer
