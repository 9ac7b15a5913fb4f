-- Adds labels to what a chain has met, apart from any call that is reserved.
--
-- KEYS  1 the chain
-- ARGV  labels
local fields = {'kept', 1}
for _, label in ipairs(ARGV) do
  fields[#fields + 1] = 'taint:' .. label
  fields[#fields + 1] = 1
end
redis.call('HSET', KEYS[1], unpack(fields))
redis.call('EXPIRE', KEYS[1], 86400)
return 1
