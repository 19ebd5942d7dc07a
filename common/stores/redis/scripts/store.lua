#!lua
-- ARGV: milliseconds for which outputs are kept or "0", then for each output: id, attempt, output.
-- Returns for each 1 or 0: whether it was not there before.

local kept = ARGV[1]
local stored = {}
for at = 2, #ARGV, 3 do stored[#stored + 1] = store(kept, unpack(ARGV, at, at + 2)) end
return stored
