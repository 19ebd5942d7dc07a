#!lua
-- ARGV: now, retention, then what exchange takes, then what accept takes. Returns what both do.

sweep()
local exchanged, at = exchange(3)
local accepted = accept(at)
wake()
return { exchanged, accepted }
