"""The Lua scripts of idempotency keys: whose a key is, what became of it, and how much room all of them take.

Two sorted sets hold what is kept of a tenant on a route, by when it goes: the names of keys, and the answers,
each as `bytes:name`. A counter has the sum of these bytes.
"""

from shared.redis_client import Script

# What an answer takes beside its bytes.
OVERHEAD = 512

# KEYS claim, who stands by it, its answer, the names of all · ARGV the claim as we made it, milliseconds of
# either, its name, how many there may be. Returns whether it is ours now; otherwise an earlier one's record,
# or, where there is no room, the milliseconds until the next one goes.
CLAIM = Script("""
local found = redis.call('GET', KEYS[1])
if found then return {0, found, redis.call('EXISTS', KEYS[2]), redis.call('GET', KEYS[3])} end
local time = redis.call('TIME')
local now, ms = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[2])
local expired = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, 100)
if expired[1] then redis.call('ZREM', KEYS[4], unpack(expired)) end
if redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[5]) then
  return {-1, tonumber(redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')[2]) - now}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ms)
redis.call('SET', KEYS[2], '', 'PX', ARGV[3])
redis.call('ZADD', KEYS[4], now + ms, ARGV[4])
if redis.call('PTTL', KEYS[4]) < ms then redis.call('PEXPIRE', KEYS[4], ms) end
return {1}
""")

# KEYS claim, who stands by it, the names of all · ARGV the claim as we made it, its name
FREE = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[2])
return 1
""")

# KEYS claim, who stands by it, its answer, the names of all, the answers of all, the bytes of these · ARGV
# the claim as we made it, what replaces it, milliseconds, its name, the answer ("" for none), how many bytes
# there may be, what comes before and after a name in an answer's key. The oldest answers go first.
SETTLE = Script(f"""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now, ms = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[3])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ms)
redis.call('DEL', KEYS[2])
redis.call('ZADD', KEYS[4], now + ms, ARGV[4])
if redis.call('PTTL', KEYS[4]) < ms then redis.call('PEXPIRE', KEYS[4], ms) end
local size, most = #ARGV[5] + {OVERHEAD}, tonumber(ARGV[6])
if ARGV[5] == '' or size > most then return 1 end
local bytes = tonumber(redis.call('GET', KEYS[6]) or 0)
for turn = 1, math.huge do
  local oldest = redis.call('ZRANGE', KEYS[5], 0, 0, 'WITHSCORES')
  if not oldest[1] then
    bytes = 0
    break
  end
  local expired = tonumber(oldest[2]) <= now
  if bytes + size <= most and not (expired and turn <= 100) then break end
  local told, name = string.match(oldest[1], '^(%d+):(.*)$')
  if not expired then redis.call('UNLINK', ARGV[7] .. name .. ARGV[8]) end
  redis.call('ZREM', KEYS[5], oldest[1])
  bytes = bytes - told
end
redis.call('SET', KEYS[3], ARGV[5], 'PX', ms)
-- An expired answer of the same name and size may still be there, and has been counted.
local added = redis.call('ZADD', KEYS[5], now + ms, size .. ':' .. ARGV[4])
local lasts = math.max(ms, redis.call('PTTL', KEYS[5]))
redis.call('PEXPIRE', KEYS[5], lasts)
redis.call('SET', KEYS[6], bytes + size * added, 'PX', lasts)
return 1
""")
