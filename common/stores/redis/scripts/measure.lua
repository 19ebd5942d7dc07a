-- Returns the number of entries that wait, that are leased, and since when the first in line waits
-- or ""; and redeliveries.

local first = redis.call('ZRANGE', 'visible', 0, 0)[1]
local since = first and redis.call('HGET', 'entry:' .. first, 'since') or ''
local numbers = { redis.call('ZCARD', 'visible'), redis.call('ZCARD', 'leased'), since }
wake()
return { numbers, redelivered }
