#!lua
-- ARGV: milliseconds for which outputs are kept or "0", then for each output: id, attempt, output.
-- Returns for each 1 or 0: whether it was not there before.

local kept = ARGV[1]
local stored = {}
for at = 2, #ARGV, 3 do
  local key = 'output:' .. ARGV[at] .. ':' .. ARGV[at + 1]
  local new
  if kept == '0' then
    new = redis.call('SET', key, ARGV[at + 2], 'NX')
  else
    new = redis.call('SET', key, ARGV[at + 2], 'NX', 'PX', kept)
    if not new then redis.call('PEXPIRE', key, kept) end
  end
  stored[#stored + 1] = new and 1 or 0
end
return stored
