-- ARGV: now, microseconds for which outputs are kept or "0", then for each output: id, attempt,
-- output. Returns 1 or 0 for each: whether it was not there before.

local kept = tonumber(ARGV[2])
local stored = {}
for at = 3, #ARGV, 3 do
  local key = 'output:' .. ARGV[at] .. ':' .. ARGV[at + 1]
  local new = redis.call('SET', key, ARGV[at + 2], 'NX')
  if kept > 0 then redis.call('PEXPIRE', key, math.ceil(kept / 1000)) end
  stored[#stored + 1] = new and 1 or 0
end
return stored
