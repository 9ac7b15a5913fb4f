-- Takes all that a call needs, or nothing. Follows counters.lua in one script.
--
-- KEYS  1 leases by expiry  2 the chain  3 this lease's record
-- ARGV  1 prefix  2 lease  3 its life in ms  4 number of limits  5-10 the chain budget ('' is no cap; seconds last)
--       11-19 amounts  then six for each limit: stem, window, unit, limit, amount, alerts ('' for none)
--       then labels of taint
-- Returns {1, left and seconds to the reset for each limit (-1: never) ...} and, where it added taint, the chain's labels,
--         {0, number of the limit, used, seconds to its reset, 1 where somebody has to be told}
--         or  {-1, number of the dimension, used, budget}

local SWEPT_AT_ONCE = 50
local FIRST_LIMIT, PARTS = 20, 6
local UNTOUCHED = 3600

local time = redis.call('TIME')
local now = tonumber(time[1])
local now_ms = now * 1000 + math.floor(time[2] / 1000)
local count = tonumber(ARGV[4])

-- What expired leases hold comes back. Their records stay for a day: should the truth still come, it is booked.
local function sweep()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, SWEPT_AT_ONCE)) do
    local key = prefix .. 'lease:' .. id
    local record = redis.call('GET', key)
    if record then
      replace(record, nil)
      redis.call('SET', key, 'S' .. string.sub(record, 2), 'EX', DAY)
    end
    redis.call('ZREM', KEYS[1], id)
  end
end

-- The refusal, or nil. Fills `changes` with the fields of the chain to be written if the call is let through.
local function check_chain(changes)
  local state = redis.call('HMGET', KEYS[2], 'started', 'kept', 'micros', 'tokens', 'model_calls', 'tool_calls',
    'agent_calls', 'budget_micros', 'budget_tokens', 'budget_model_calls', 'budget_tool_calls',
    'budget_agent_calls', 'budget_seconds')
  local caps, narrowed, counts = {}, {}, false
  for i = 1, 6 do
    local known, given = tonumber(state[7 + i] or nil), tonumber(ARGV[4 + i])
    caps[i] = known
    if given and (not known or given < known) then
      caps[i] = given
      narrowed[#narrowed + 1] = 'budget_' .. (FIELDS[i] or 'seconds')
      narrowed[#narrowed + 1] = ARGV[4 + i]
    end
    if i < 6 and ARGV[10 + UNIT_OF[i]] ~= '0' then counts = true end
  end
  -- A budget is narrowed for good, even by a call that is refused. A chain that has never begun is not kept for that.
  if #narrowed > 0 and state[1] then redis.call('HSET', KEYS[2], unpack(narrowed)) end
  for i, field in ipairs(FIELDS) do
    local used, need = tonumber(state[2 + i] or 0), tonumber(ARGV[10 + UNIT_OF[i]])
    -- Money and tokens may have turned out higher than they were estimated: then everything stops.
    if caps[i] and used + need > caps[i] and (need > 0 or (counts and i <= 2)) then
      return {-1, i, used, caps[i]}
    end
    if need > 0 then
      changes[#changes + 1] = field
      changes[#changes + 1] = used + need
    end
  end
  local elapsed = state[1] and now - tonumber(string.sub(state[1], 1, -7)) or 0
  if caps[6] and elapsed >= caps[6] then return {-1, 6, elapsed, caps[6]} end
  if not state[1] then
    changes[#changes + 1] = 'started'
    changes[#changes + 1] = time[1] .. string.format('%06d', time[2])
    for _, part in ipairs(narrowed) do changes[#changes + 1] = part end
  end
  changes.kept = next(caps) or state[2]
end

-- Where each limit stands: key, end of the window, what is used of it.
local function look()
  local keys, ends = {}, {}
  for i = 1, count do
    local at = FIRST_LIMIT + (i - 1) * PARTS
    local start
    start, ends[i] = window(ARGV[at + 1], now)
    keys[i] = counter_key(ARGV[at], ARGV[at + 1], start)
  end
  return keys, ends, count > 0 and redis.call('MGET', unpack(keys)) or {}
end

-- The refusal that has to be waited for longest, or nil.
local function check_limits(keys, ends, used)
  local worst, longest = nil, -1
  for i = 1, count do
    local at = FIRST_LIMIT + (i - 1) * PARTS
    if tonumber(used[i] or 0) + tonumber(ARGV[at + 4]) > tonumber(ARGV[at + 3]) then
      local never = tonumber(ARGV[at + 4]) > tonumber(ARGV[at + 3])
      if ARGV[at + 5] ~= '' and not never then tell_refusal(keys[i], used[i], ARGV[at + 5]) end
      local wait = never and math.huge or ends[i] and ends[i] - now or ARGV[at + 1] == 'c' and 1 or math.huge
      if wait > longest then
        longest = wait
        worst = {0, i, tonumber(used[i] or 0), ends[i] and ends[i] - now or -1}
      end
    end
  end
  if worst and told then worst[5] = 1 end
  return worst
end

-- Takes from every counter and writes the lease. Returns the reply.
local function take(keys, ends, used)
  local reply = {1}
  local record = {table.concat({'L', KEYS[2], ARGV[15], ARGV[12], ARGV[19], ARGV[16], ARGV[17]}, '\t')}
  for i = 1, count do
    local at = FIRST_LIMIT + (i - 1) * PARTS
    local left = tonumber(ARGV[at + 3]) - redis.call('INCRBY', keys[i], ARGV[at + 4])
    expire(keys[i], ARGV[at + 1], ends[i], not used[i])
    local alerts = ARGV[at + 5] ~= '' and '\t' .. ARGV[at + 5] or ''
    record[i + 1] = keys[i] .. '\t' .. ARGV[at + 2] .. '\t' .. ARGV[at + 4] .. alerts
    reply[2 * i] = left
    reply[2 * i + 1] = ends[i] and ends[i] - now or -1
  end
  redis.call('SET', KEYS[3], table.concat(record, '\n') .. '\n')
  redis.call('ZADD', KEYS[1], now_ms + tonumber(ARGV[3]), lease_id)
  return reply
end

-- Writes the chain, with this call's labels of taint. Adds all labels to the reply if there are any of this call.
local function touch_chain(changes, reply)
  local first = FIRST_LIMIT + count * PARTS
  for i = first, #ARGV do
    changes[#changes + 1] = 'taint:' .. ARGV[i]
    changes[#changes + 1] = 1
  end
  local tainted = first <= #ARGV
  if tainted then
    changes[#changes + 1] = 'kept'
    changes[#changes + 1] = 1
  end
  if #changes > 0 then redis.call('HSET', KEYS[2], unpack(changes)) end
  -- Nobody will ask a chain without budget and taint for anything: it is not kept for a day.
  local kept = changes.kept or tainted
  redis.call('EXPIRE', KEYS[2], kept and DAY or UNTOUCHED + math.ceil(ARGV[3] / 1000))
  if tainted then
    local labels = {}
    for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
      if string.sub(field, 1, 6) == 'taint:' then labels[#labels + 1] = string.sub(field, 7) end
    end
    reply[#reply + 1] = labels
  end
  return reply
end

sweep()
local changes = {}
local refusal = check_chain(changes)
if refusal then return refusal end
local keys, ends, used = look()
refusal = check_limits(keys, ends, used)
if refusal then return refusal end
return touch_chain(changes, take(keys, ends, used))
