-- ARGV: now, microseconds for which outputs are kept or "0", then for each output: id, attempt,
-- output. Returns 1 or 0 for each: whether it was not there before.

local kept = tonumber(ARGV[2])
local stored = {}
for at = 3, #ARGV, 3 do
  stored[#stored + 1] = store(ARGV[at], ARGV[at + 1], ARGV[at + 2], kept)
end
return stored
