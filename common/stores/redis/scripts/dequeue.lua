-- ARGV: now, lease in microseconds, most jobs, most bytes, then how many follow of each: ids to
-- remove, executions to renew, executions to release, an execution as id and attempt.
-- Returns the places of the renewals that failed, what was leased, when the next lease ends or "",
-- and redeliveries.

local lease, most_jobs, most_bytes = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local removals, renewals, releases = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local until_ = text(now + lease)
local lost = {}

local at = 8
for _ = 1, removals do
  remove(ARGV[at])
  at = at + 1
end
for number = 1, renewals do
  if leased_as(ARGV[at], ARGV[at + 1]) then
    redis.call('ZADD', 'leased', until_, ARGV[at])
  else
    lost[#lost + 1] = number - 1
  end
  at = at + 2
end
-- The last is shown first, so that the first is at the head of the line.
for number = releases, 1, -1 do
  local id = ARGV[at + 2 * (number - 1)]
  if leased_as(id, ARGV[at + 2 * number - 1]) then show_again(id) end
end

local taken = lease_first(most_jobs, most_bytes, lease)
wake()
return { lost, taken, next_end(), redelivered }
