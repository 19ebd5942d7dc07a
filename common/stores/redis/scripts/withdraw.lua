-- ARGV: ..., microseconds for which a submit is remembered, submit id, job id or "".
-- Returns "" without a job id, else "gone", or "1" or "0" for whether it was forgotten, and the record.

local remembered, submit, id = tonumber(ARGV[3]), ARGV[4], ARGV[5]

if id ~= '' then
  local job = find(id)
  if not job then return 'gone' end
  return { withdraw(id, job, submit) and '1' or '0', job.flat }
end
local known = redis.call('GET', 'submit:' .. submit)
local time, made = string.match(known or '', '^(%d+) (.*)$')
if time and tonumber(time) + remembered < now then made = nil end
local job = made and made ~= '' and find(made)
if job then
  withdraw(made, job, submit)
elseif submit ~= '' then
  redis.call('SET', 'submit:' .. submit, ARGV[1] .. ' ', 'PX', math.ceil(remembered / 1000))
end
return ''
