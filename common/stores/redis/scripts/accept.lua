#!lua
-- ARGV: now, retention, then what accept takes. Returns what it does.

sweep()
local answers = accept(3)
wake()
return answers
