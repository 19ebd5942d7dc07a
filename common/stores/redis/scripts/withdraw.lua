#!lua flags=allow-oom
-- ARGV: now, retention, microseconds for which a submit is remembered, submit id, job id or "".
-- Returns "" without a job id, else "gone", or 1 or 0 for whether it was forgotten, and the record
-- before.

local remembered, submit, id = tonumber(ARGV[3]), ARGV[4], ARGV[5]

if id ~= '' then
  local job = find(id)
  return job and { withdraw(id, job, submit) and 1 or 0, job.flat } or 'gone'
end
local made = met(submit, remembered)
local job = made and made ~= '' and find(made)
if job then
  withdraw(made, job, submit)
else
  note(submit, '', remembered)
end
return ''
