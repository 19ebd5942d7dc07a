#!lua flags=allow-oom
-- ARGV: now, retention. Returns the number of jobs in each state.

sweep()
local counts = { 0, 0, 0, 0, 0 }
for _, kind in ipairs(redis.call('SMEMBERS', 'kinds')) do
  for state = 1, 5 do counts[state] = counts[state] + redis.call('ZCARD', index_of(state, kind)) end
end
return counts
