-- ARGV: now, retention, for how long a submit is remembered, most jobs, most bytes, then for each
-- job: id, time, kind, request id, digest, submit id, payload, timeout or "", correlation id.
-- Returns for each its record with its id, or what is in the way, of the record or of the entry;
-- and redeliveries.

local most_jobs, most_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local answers = {}

local function accept(id, time, kind, request, digest, submit, payload, timeout, correlation)
  local word = room(#payload, most_jobs, most_bytes)
  local found = known(request, digest, submit)
  if found then
    local waits = type(found) == 'table' and found[3] == QUEUED
    if not waits or redis.call('EXISTS', 'entry:' .. found[1]) == 1 then return found end
    if word == '' then add(found[1], kind, payload, timeout, correlation) end
    return word == '' and found or word
  end
  if word ~= '' then return word end
  add(id, kind, payload, timeout, correlation)
  return make(id, time, kind, request, digest, submit)
end

for at = 6, #ARGV, 9 do answers[#answers + 1] = accept(unpack(ARGV, at, at + 8)) end
wake()
return { answers, redelivered }
