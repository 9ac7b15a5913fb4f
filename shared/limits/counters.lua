-- What reserve and settle share: windows, counters and the record of a lease.
--
-- A record is one line for the state (L live, S swept: given back), the chain's key and what was reserved of the
-- chain's budget, then one line for each counter: its key, the number of its unit, the amount reserved and, where
-- somebody wants to be told, `limit:percent,percent`.
-- Amounts of a call come in the order of UNITS in plan.py.

local prefix = ARGV[1]
local lease_id = ARGV[2]
local DAY = 86400
local LENGTH = {s = 1, m = 60, h = 3600, d = DAY}
local CONCURRENCY = 8
local ALERTS_KEPT = 1000
-- Whether somebody has to be told of something by now.
local told = false
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

-- Leaves word for whoever sends alerts: the counter, what happened, what was used, the limit, when.
local function tell(key, what, used, limit)
  local time = redis.call('TIME')
  local counter = string.sub(key, #prefix + 3)
  redis.call('RPUSH', prefix .. 'alerts', table.concat({counter, what, string.format('%.0f', used), limit, time[1]}, '\t'))
  redis.call('LTRIM', prefix .. 'alerts', -ALERTS_KEPT, -1)
  told = true
end

-- Counts what was really used, without what is only reserved: it never sinks, so each percentage is passed once.
local function spend(key, used, alerts)
  local limit, percents = string.match(alerts, '(%d+):([%d,]+)')
  used = tonumber(used)
  if not limit or used <= 0 or redis.call('EXISTS', key) == 0 then return end
  local spent = redis.call('INCRBY', key .. ':spent', used)
  if spent == used then
    local left = redis.call('PTTL', key)
    if left > 0 then redis.call('PEXPIRE', key .. ':spent', left) end
  end
  for percent in string.gmatch(percents, '%d+') do
    local mark = limit * percent / 100
    if spent >= mark and spent - used < mark then tell(key, percent, spent, limit) end
  end
end

-- The first call that is refused in a window: no percentage may ever be reached where every call is too large.
local function tell_refusal(key, used, alerts)
  local limit = string.match(alerts, '^%d+')
  local left = limit and redis.call('PTTL', key)
  if not limit or left == -2 then return end
  local mark = key .. ':refused'
  local first = left > 0 and redis.call('SET', mark, 1, 'NX', 'PX', left) or redis.call('SET', mark, 1, 'NX')
  if first then tell(key, 'refused', used, limit) end
end

-- Puts the truth in the place of what a record says was reserved; without a truth it is given back.
local function replace(record, truth)
  local state, chain, a, b, c, d, e = string.match(
    record, '^(%u)\t([^\t\n]*)\t(%d+)\t(%d+)\t(%d+)\t(%d+)\t(%d+)\n')
  local live = state == 'L'
  add_to_chain(chain, live and {a, b, c, d, e} or {0, 0, 0, 0, 0}, truth)
  local counters = string.sub(record, string.find(record, '\n') + 1)
  for key, unit, amount, alerts in string.gmatch(counters, '([^\t\n]+)\t(%d+)\t(%d+)([^\n]*)\n') do
    unit = tonumber(unit)
    add_to_counter(key, unit, (truth and truth[unit] or 0) - (live and amount or 0))
    if alerts ~= '' and truth then spend(key, truth[unit], alerts) end
  end
end
