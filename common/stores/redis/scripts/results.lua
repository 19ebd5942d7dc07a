-- Outputs: output:<id>:<attempt> each.

-- Store one, kept for so many milliseconds or, with "0", for ever. Returns 1 or 0 for whether it was
-- not there before.
local function store(kept, id, attempt, output)
  local key = 'output:' .. id .. ':' .. attempt
  if kept == '0' then return redis.call('SET', key, output, 'NX') and 1 or 0 end
  local new = redis.call('SET', key, output, 'NX', 'PX', kept)
  if not new then redis.call('PEXPIRE', key, kept) end
  return new and 1 or 0
end
