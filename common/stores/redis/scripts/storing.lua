-- Stores outputs.

-- Whether it was not there before; kept for so many microseconds, 0 is for ever.
local function store(id, attempt, output, kept)
  local key = 'output:' .. id .. ':' .. attempt
  local new = redis.call('SET', key, output, 'NX')
  if kept > 0 then redis.call('PEXPIRE', key, math.ceil(kept / 1000)) end
  return new and 1 or 0
end
