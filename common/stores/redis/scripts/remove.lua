-- ARGV: now, then ids. Returns 1 or 0 for each, and redeliveries.

local present = {}
for at = 2, #ARGV do present[#present + 1] = remove(ARGV[at]) and 1 or 0 end
wake()
return { present, redelivered }
