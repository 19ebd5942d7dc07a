#!lua flags=no-writes
-- ARGV: now, retention, state or "", kind or "", the id below which to begin or "", how many.
-- Returns ids and records, the highest id first.

local state, kind, limit = ARGV[3], ARGV[4], tonumber(ARGV[6])
local from = ARGV[5] ~= '' and '(' .. ARGV[5] or '+'
local states = state ~= '' and { state } or { QUEUED, RUNNING, DONE, FAILED, CANCELED }
local kinds = kind ~= '' and { kind } or redis.call('SMEMBERS', 'kinds')

-- The next ids of all lists that match, the highest first.
local function newest(number)
  local ids = {}
  for _, each_state in ipairs(states) do
    for _, each_kind in ipairs(kinds) do
      local some = redis.call('ZRANGE', index_of(each_state, each_kind), from, '-', 'BYLEX', 'REV',
        'LIMIT', 0, number)
      for _, id in ipairs(some) do ids[#ids + 1] = id end
    end
  end
  table.sort(ids, function(one, other) return one > other end)
  return ids
end

local answers = {}
-- Some of those in the lists may be over, and are passed over.
while #answers < limit do
  local wanted = limit - #answers
  local ids = newest(wanted)
  for at = 1, math.min(wanted, #ids) do
    local job = find(ids[at])
    if job then answers[#answers + 1] = { ids[at], job.flat } end
  end
  if #ids < wanted then break end
  from = '(' .. ids[wanted]
end
return answers
