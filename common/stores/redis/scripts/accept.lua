#!lua
-- ARGV: now, retention, microseconds for which a submit is remembered, most jobs, most bytes, then for
-- each job: id, time, kind, request id, digest, submit id, payload, timeout or "", correlation id.
-- Returns for each as create does, or what is in the way of its entry: "jobs", "bytes".

local remembered = tonumber(ARGV[3])
local limits = { jobs = tonumber(ARGV[4]), bytes = tonumber(ARGV[5]) }
local tally = tally_of()

-- Both the record and the entry, or neither.
local function accept(id, time, kind, request, digest, submit, payload, timeout, correlation)
  local found = known(remembered, request, digest, submit)
  local waits = type(found) == 'table' and found[3] == QUEUED
  if found and (not waits or redis.call('EXISTS', 'entry:' .. found[1]) == 1) then return found end
  local word = room(tally, limits, payload)
  if word ~= '' then return word end
  add(tally, found and found[1] or id, kind, payload, timeout, correlation)
  return found or make(remembered, id, time, kind, request, digest, submit)
end

local answers = {}
sweep()
for at = 6, #ARGV, 9 do answers[#answers + 1] = accept(unpack(ARGV, at, at + 8)) end
write_tally(tally)
wake()
return answers
