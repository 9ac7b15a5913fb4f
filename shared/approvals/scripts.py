"""What happens to approvals in one step each, in Lua. A record is a hash: `body`, `state`, `by`, `at`, `why`,
`ends` (microseconds), `call` and `of` (the keys that point at it), `waiting` (calls that wait for it),
`taker` (the entry of the call that has used it).
"""

from shared.redis_client import Script

# KEYS call, record, of the principal, all, of the tenant
# ARGV prefix of records, id, now, ends, most, milliseconds that the record and the call are kept, body,
#      the oldest time that lists keep, the entry of whoever asks
ASK = Script("""
local id = redis.call('GET', KEYS[1])
if id then
  local one = ARGV[1] .. id
  local found = redis.call('HMGET', one, 'state', 'ends', 'by', 'at', 'why')
  if found[1] and tonumber(found[2]) > tonumber(ARGV[3]) then
    if found[1] == 'approved' then
      redis.call('HSET', one, 'state', 'used', 'taker', ARGV[10])
      redis.call('DEL', KEYS[1])
    elseif found[1] == 'pending' then
      redis.call('HINCRBY', one, 'waiting', 1)
    end
    if found[1] ~= 'used' then return {id, found[1], found[3], found[4], found[5]} end
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', ARGV[3])
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[5]) then return {'', 'full', '', '0', ''} end
redis.call('HSET', KEYS[2], 'body', ARGV[8], 'state', 'pending', 'by', '', 'at', 0, 'why', '',
           'ends', ARGV[4], 'call', KEYS[1], 'of', KEYS[3], 'waiting', 1)
redis.call('PEXPIRE', KEYS[2], ARGV[6])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[7])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[2])
redis.call('PEXPIRE', KEYS[3], ARGV[6])
for _, list in ipairs({KEYS[4], KEYS[5]}) do
  redis.call('ZREMRANGEBYSCORE', list, '-inf', ARGV[9])
  redis.call('ZADD', list, ARGV[3], ARGV[2])
  redis.call('PEXPIRE', list, ARGV[6])
end
return {ARGV[2], 'pending', '', '0', ''}
""")

# KEYS record · ARGV now, the entry of whoever looks. A decision to approve is taken by whoever looks first;
# who has not heard so looks again.
LOOK = Script("""
local found = redis.call('HMGET', KEYS[1], 'state', 'ends', 'by', 'at', 'why', 'call', 'taker')
if not found[1] then return {'expired', '', '0', ''} end
if tonumber(found[2]) <= tonumber(ARGV[1]) then return {'expired', '', '0', ''} end
if found[1] == 'approved' then
  redis.call('HSET', KEYS[1], 'state', 'used', 'taker', ARGV[2])
  redis.call('DEL', found[6])
elseif found[1] == 'used' and found[7] == ARGV[2] then
  found[1] = 'approved'
end
return {found[1], found[3], found[4], found[5]}
""")

# KEYS record · ARGV id, now, the entry of whoever gives it back: it must be the one that has used it
GIVE_BACK = Script("""
local found = redis.call('HMGET', KEYS[1], 'state', 'ends', 'call', 'taker')
if found[1] ~= 'used' or found[4] ~= ARGV[3] then return 0 end
local left = math.floor((tonumber(found[2]) - tonumber(ARGV[2])) / 1000)
if left <= 0 or not redis.call('SET', found[3], ARGV[1], 'NX', 'PX', left) then return 0 end
redis.call('HSET', KEYS[1], 'state', 'approved', 'taker', '')
return 1
""")

# KEYS record · ARGV id, whether its call is given up for good
LEAVE = Script("""
local found = redis.call('HMGET', KEYS[1], 'state', 'call', 'of')
if not found[1] then return 0 end
local waiting = redis.call('HINCRBY', KEYS[1], 'waiting', -1)
if ARGV[2] == '0' or waiting > 0 or found[1] ~= 'pending' then return 0 end
redis.call('HSET', KEYS[1], 'state', 'withdrawn')
if redis.call('GET', found[2]) == ARGV[1] then redis.call('DEL', found[2]) end
redis.call('ZREM', found[3], ARGV[1])
return 1
""")

# KEYS record · ARGV id, now, state, by, why, channel
DECIDE = Script("""
local found = redis.call('HMGET', KEYS[1], 'state', 'ends', 'of')
if not found[1] then return '' end
if found[1] == 'pending' and tonumber(found[2]) <= tonumber(ARGV[2]) then return 'expired' end
if found[1] ~= 'pending' then return found[1] end
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'by', ARGV[4], 'at', ARGV[2], 'why', ARGV[5])
redis.call('ZREM', found[3], ARGV[1])
redis.call('PUBLISH', ARGV[6], ARGV[1])
return 'decided'
""")
