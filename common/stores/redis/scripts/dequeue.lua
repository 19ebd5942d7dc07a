#!lua flags=allow-oom
-- ARGV: now, lease in microseconds, most jobs, most bytes, then how many follow of each: ids to
-- remove, executions to renew, executions to release, an execution as id and attempt.
-- Returns the numbers of the renewals that failed, from 0; what was leased; if that is nothing, when
-- the next lease ends or ""; and redeliveries.

local ends = text(now + tonumber(ARGV[2]))
local removals, renewals, releases = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local at = 8
for _ = 1, removals do
  remove(ARGV[at])
  at = at + 1
end
expire()
local lost = {}
for number = 1, renewals do
  if not renew(ARGV[at], ARGV[at + 1], ends) then lost[#lost + 1] = number - 1 end
  at = at + 2
end
-- The last is shown first, so that the first is at the head of the line.
for last = at + 2 * (releases - 1), at, -2 do release(ARGV[last], ARGV[last + 1]) end

local taken = take(tonumber(ARGV[3]), tonumber(ARGV[4]), ends)
wake()
local next_ = #taken == 0 and redis.call('ZRANGE', 'leased', 0, 0, 'WITHSCORES')[2]
return { lost, taken, next_ or '', redelivered }
