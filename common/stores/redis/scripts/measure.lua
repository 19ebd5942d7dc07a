#!lua flags=no-writes
-- Returns the number of entries that wait, that are leased, and since when the first in line waits
-- or "".

local first = redis.call('ZRANGE', 'visible', 0, 0)[1]
local since = first and redis.call('HGET', 'entry:' .. first, 'since') or ''
return { redis.call('ZCARD', 'visible'), redis.call('ZCARD', 'leased'), since }
