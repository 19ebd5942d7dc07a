#!lua flags=allow-oom
-- ARGV: now, retention, the steps of the lifecycle table, milliseconds for which outputs are kept or
-- "0", lease in microseconds, most jobs, most bytes, the worker, then how many follow of each: ids to
-- remove, reports; those ids, then for each report: id, attempt, target, "1" with a failure, its
-- reason, its message, output.
-- Returns what came of each report; what was leased; what came of each start of that; if nothing was,
-- when the next lease ends or ""; and redeliveries.
-- There is always room for what ends a job, for that makes room.

local steps, kept, ends = ARGV[3], ARGV[4], text(now + tonumber(ARGV[5]))
local worker = ARGV[8]

local at = 11
for _ = 1, tonumber(ARGV[9]) do
  remove(ARGV[at])
  at = at + 1
end
local ended_ = {}
for _ = 1, tonumber(ARGV[10]) do
  local id, attempt, target, failed, reason, message, output = unpack(ARGV, at, at + 6)
  if target == DONE then store(kept, id, attempt, output) end
  local answer = step(steps, id, attempt, target, '', failed, reason, message)
  if answer[1] == 1 then remove(id) end
  ended_[#ended_ + 1] = answer
  at = at + 7
end
sweep()
expire()
local taken = take(tonumber(ARGV[6]), tonumber(ARGV[7]), ends)
local starts = {}
for _, entry in ipairs(taken) do
  starts[#starts + 1] = step(steps, entry[1], text(entry[2]), RUNNING, worker, '0', '', '')
end
wake()
local next_ = #taken == 0 and redis.call('ZRANGE', 'leased', 0, 0, 'WITHSCORES')[2]
return { ended_, taken, starts, next_ or '', redelivered }
