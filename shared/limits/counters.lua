-- What reserve and settle share: windows, counters and the record of a lease.
--
-- A record is one line for the state (L live, S swept: given back), the chain's key and what was reserved of the
-- chain's budget, then one line for each counter: its key, the number of its unit, the amount reserved.
-- Amounts of a call come in the order of UNITS in plan.py.

local prefix = ARGV[1]
local lease_id = ARGV[2]
local DAY = 86400
local LENGTH = {s = 1, m = 60, h = 3600, d = DAY}
local CONCURRENCY = 8
-- The chain's dimensions, and which amount of a call counts for each.
local FIELDS = {'micros', 'tokens', 'model_calls', 'tool_calls', 'agent_calls'}
local UNIT_OF = {5, 2, 9, 6, 7}

-- The first day of the month that day number `day` is in, both counted from 1970-01-01.
local function month(day)
  local floor = math.floor
  local of_era = (day + 719468) % 146097
  local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  return day - of_year + floor((153 * floor((5 * of_year + 2) / 153) + 2) / 5)
end

-- Start and end of the window that second `now` is in; no end where it is never over.
local function window(code, now)
  local length = LENGTH[code]
  if length then
    local start = now - now % length
    return start, start + length
  elseif code == 'M' then
    local first = month(math.floor(now / DAY))
    return first * DAY, month(first + 32) * DAY
  end
  return 0, nil
end

local function counter_key(stem, code, start)
  return prefix .. 'l:' .. stem .. ':' .. code .. start
end

-- A new counter goes when its window is over. A minute late, for settles on their way.
local function expire(key, code, ends, fresh)
  if ends and fresh then
    redis.call('EXPIREAT', key, ends + 60)
  elseif code == 'C' then
    redis.call('EXPIRE', key, DAY)
  end
end

local function add_to_chain(chain, reserved, truth)
  local known
  for i, field in ipairs(FIELDS) do
    local delta = (truth and truth[UNIT_OF[i]] or 0) - reserved[i]
    if delta ~= 0 then
      known = known or redis.call('EXISTS', chain)
      if known == 1 then redis.call('HINCRBY', chain, field, delta) end
    end
  end
end

-- A counter that is gone belonged to a window that is over.
local function add_to_counter(key, unit, delta)
  if delta ~= 0 and redis.call('EXISTS', key) == 1 then
    local left = redis.call('INCRBY', key, delta)
    if unit == CONCURRENCY and left <= 0 then redis.call('DEL', key) end
  end
end

-- Puts the truth in the place of what a record says was reserved; without a truth it is given back.
local function replace(record, truth)
  local state, chain, a, b, c, d, e = string.match(
    record, '^(%u)\t([^\t\n]*)\t(%d+)\t(%d+)\t(%d+)\t(%d+)\t(%d+)\n')
  local live = state == 'L'
  add_to_chain(chain, live and {a, b, c, d, e} or {0, 0, 0, 0, 0}, truth)
  local counters = string.sub(record, string.find(record, '\n') + 1)
  for key, unit, amount in string.gmatch(counters, '([^\t\n]+)\t(%d+)\t(%d+)\n') do
    unit = tonumber(unit)
    add_to_counter(key, unit, (truth and truth[unit] or 0) - (live and amount or 0))
  end
end
