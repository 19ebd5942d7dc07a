-- Steps over records, entries and outputs at once, of what ARGV has from a place on.

-- Make a record and its entry, or neither. Returns as create does, or what is in the way of the
-- entry: "jobs", "bytes".
local function accept_one(
  remembered, limits, tally, id, time, kind, request, digest, submit, payload, timeout, correlation)
  local found = known(remembered, request, digest, submit)
  local waits = type(found) == 'table' and found[3] == QUEUED
  if found and (not waits or redis.call('EXISTS', 'entry:' .. found[1]) == 1) then return found end
  local word = room(tally, limits, payload)
  if word ~= '' then return word end
  add(tally, found and found[1] or id, kind, payload, timeout, correlation)
  return found or make(remembered, id, time, kind, request, digest, submit)
end

-- There: microseconds for which a submit is remembered, most jobs, most bytes, then, to the end of
-- ARGV, for each job: id, time, kind, request id, digest, submit id, payload, timeout or "",
-- correlation id. Returns what came of each.
local function accept(at)
  local remembered = tonumber(ARGV[at])
  local limits = { jobs = tonumber(ARGV[at + 1]), bytes = tonumber(ARGV[at + 2]) }
  local tally, answers = tally_of(), {}
  for job = at + 3, #ARGV, 9 do
    answers[#answers + 1] = accept_one(remembered, limits, tally, unpack(ARGV, job, job + 8))
  end
  write_tally(tally)
  return answers
end

-- There: the steps of the lifecycle table, milliseconds for which outputs are kept or "0", lease in
-- microseconds, most jobs, most bytes, the worker, then how many follow of each: ids to remove,
-- reports; those ids, then for each report: id, attempt, target, "1" with a failure, its reason, its
-- message, output.
-- Returns what came of each report; what was leased; what came of each start of that; if nothing was
-- leased, when the next lease ends or ""; and redeliveries. Also returns the place after all these.
local function exchange(at)
  local steps, kept, ends = ARGV[at], ARGV[at + 1], text(now + tonumber(ARGV[at + 2]))
  local most_jobs, most_bytes = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local worker, removals, reports = ARGV[at + 5], tonumber(ARGV[at + 6]), tonumber(ARGV[at + 7])
  at = at + 8
  for _ = 1, removals do
    remove(ARGV[at])
    at = at + 1
  end
  local ended_ = {}
  for _ = 1, reports do
    local id, attempt, target, failed, reason, message, output = unpack(ARGV, at, at + 6)
    if target == DONE then store(kept, id, attempt, output) end
    local answer = step(steps, id, attempt, target, '', failed, reason, message)
    if answer[1] == 1 then remove(id) end
    ended_[#ended_ + 1] = answer
    at = at + 7
  end
  expire()
  local taken, starts = take(most_jobs, most_bytes, ends), {}
  for _, entry in ipairs(taken) do
    starts[#starts + 1] = step(steps, entry[1], text(entry[2]), RUNNING, worker, '0', '', '')
  end
  local next_ = #taken == 0 and redis.call('ZRANGE', 'leased', 0, 0, 'WITHSCORES')[2]
  return { ended_, taken, starts, next_ or '', redelivered }, at
end
