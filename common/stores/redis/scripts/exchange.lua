-- ARGV: now, retention, the lifecycle table, microseconds for which outputs are kept or "0", lease in
-- microseconds, most jobs, most bytes, the worker, how many ids follow to remove, how many reports;
-- those ids, then for each report: id, attempt, target, "1" with a failure, its reason, its message,
-- output.
-- Returns what came of each report, what was leased, what came of each start, when the next lease
-- ends or "", and redeliveries.

local kept, lease = tonumber(ARGV[4]), tonumber(ARGV[5])
local most_jobs, most_bytes, worker = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local ends, starts = {}, {}

local at = 11
for _ = 1, tonumber(ARGV[9]) do
  remove(ARGV[at])
  at = at + 1
end
for _ = 1, tonumber(ARGV[10]) do
  local id, attempt, target, failed, reason, message, output = unpack(ARGV, at, at + 6)
  if target == DONE then store(id, attempt, output, kept) end
  local answer = step(id, attempt, target, '', failed, reason, message)
  if answer[1] == '1' then remove(id) end
  ends[#ends + 1] = answer
  at = at + 7
end
local taken = lease_first(most_jobs, most_bytes, lease)
for _, entry in ipairs(taken) do
  starts[#starts + 1] = step(entry[1], text(entry[2]), RUNNING, worker, '0', '', '')
end
wake()
return { ends, taken, starts, next_end(), redelivered }
