#!lua flags=allow-oom
-- ARGV: now, then ids. Returns for each 1 or 0: whether it was there.

local present = {}
for at = 2, #ARGV do present[#present + 1] = remove(ARGV[at]) and 1 or 0 end
return present
