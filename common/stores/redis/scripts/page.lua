-- ARGV: ..., state or "", kind or "", the id below which to begin or "", how many.
-- Returns records, the highest id first.

local wanted, kind, before, limit = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local states = wanted ~= '' and { wanted } or { QUEUED, RUNNING, DONE, FAILED, CANCELED }
local kinds = kind ~= '' and { kind } or redis.call('SMEMBERS', 'kinds')
local from = before ~= '' and '(' .. before or '+'

local ids = {}
for _, state in ipairs(states) do
  for _, each in ipairs(kinds) do
    local some = redis.call(
      'ZRANGE', index_of(state, each), from, '-', 'BYLEX', 'REV', 'LIMIT', 0, limit)
    for _, id in ipairs(some) do ids[#ids + 1] = id end
  end
end
table.sort(ids, function(one, other) return one > other end)

local answers = {}
for _, id in ipairs(ids) do
  if #answers == limit then break end
  local job = find(id)
  if job then answers[#answers + 1] = { id, job.flat } end
end
return answers
