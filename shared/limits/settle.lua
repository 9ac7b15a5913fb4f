-- Puts the truth in the place of a reservation and writes the ledger's row, each exactly once. Follows counters.lua.
--
-- KEYS  1 leases by expiry  2 the chain  3 the lease's record  4 the ledger's stream  5 the mark of this row
-- ARGV  1 prefix  2 lease ('' for none)  3-11 amounts that were used  12 row ('' for none)  13 its hash
--       then four for each limit of a lease that could not be reserved: stem, window, unit, alerts
-- Returns 1, 2 where somebody has to be told of something, or 0 if it has been done before.

local MARKED = 120
local FIRST_LIMIT = 14

local truth = {unpack(ARGV, 3, 11)}

-- The truth of a call that was let through while nobody could count it.
local function book_unreserved()
  local now = tonumber(redis.call('TIME')[1])
  for at = FIRST_LIMIT, #ARGV, 4 do
    local amount = tonumber(truth[tonumber(ARGV[at + 2])])
    if amount > 0 then
      local start, ends = window(ARGV[at + 1], now)
      local key = counter_key(ARGV[at], ARGV[at + 1], start)
      local total = redis.call('INCRBY', key, amount)
      expire(key, ARGV[at + 1], ends, total == amount)
      if ARGV[at + 3] ~= '' then spend(key, amount, ARGV[at + 3]) end
    end
  end
  add_to_chain(KEYS[2], {0, 0, 0, 0, 0}, truth)
end

if ARGV[12] ~= '' then
  if redis.call('EXISTS', KEYS[5]) == 1 then return 0 end
  redis.call('XADD', KEYS[4], '*', 'row', ARGV[12], 'hash', ARGV[13])
  redis.call('SET', KEYS[5], 1, 'EX', MARKED)
end
if lease_id == '' then return 1 end
local record = redis.call('GET', KEYS[3])
if record then
  replace(record, truth)
  redis.call('DEL', KEYS[3])
  redis.call('ZREM', KEYS[1], lease_id)
elseif #ARGV >= FIRST_LIMIT then
  book_unreserved()
end
return told and 2 or 1
