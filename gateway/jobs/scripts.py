"""What the shared store does in one step each, in Redis' own language: Lua, of which nobody sees a half.

    triptych:layout          of all this, a number
    triptych:number          goes up: of jobs, and of what they tell
    triptych:jobs            ids by number
    triptych:line            ids of those that wait, by number; those that ran before are below zero
    triptych:moved           the number of the line's last change
    triptych:leases          ids of those that run, by the time until which whoever runs one has it
    triptych:ended           ids by the time at which they ended
    triptych:owed            ids by the time until which whoever sends a webhook has it
    triptych:keys            ids by the clients' names for jobs
    triptych:size            what all take, in bytes
    triptych:paces           the seconds that the latest took
    triptych:job:<id>        a record, with its `owner`, and in `stop` the error it is to end with
    triptych:told:<id>       what it told, by kind
    triptych:file:<id>:<…>   what belongs to it
    triptych:news            the channel of topics

Times are the server's, in seconds since 1970, but for those of records.
"""

from .store import PACE_OF, RECORD_BYTES

LAYOUT = 1
"""Is one more where older gateways would misread what newer ones wrote, or newer ones what older ones did."""
PREFIX = "triptych:"
LAYOUT_KEY, NEWS = f"{PREFIX}layout", f"{PREFIX}news"
STOP = "stop:"
"""Before an id: who runs that job is to end its work."""

COMMON = (
    f"local P, RECORD_BYTES, PACE_OF = '{PREFIX}', {RECORD_BYTES}, {PACE_OF}\n"
    + """
local function job(id) return P .. 'job:' .. id end
local function told(id) return P .. 'told:' .. id end
local function file(id, name) return P .. 'file:' .. id .. ':' .. name end
local function tell(topic) redis.call('PUBLISH', P .. 'news', topic) end
local function number() return redis.call('INCR', P .. 'number') end
local function field(id, name) return redis.call('HGET', job(id), name) end
local function record(id) return redis.call('HGETALL', job(id)) end
local function runs(id, me) return field(id, 'state') == 'running' and field(id, 'owner') == me end
local function now()
    local time = redis.call('TIME')
    return time[1] + time[2] / 1000000
end
local function lease(set, id, seconds) redis.call('ZADD', P .. set, now() + seconds, id) end
local function moved(id)
    redis.call('SET', P .. 'moved', number())
    tell('line')
    tell(id)
end
local function finish(id, state, error, ended)
    redis.call('DEL', file(id, 'request.json'), file(id, 'state.json'), told(id))
    local size = RECORD_BYTES + redis.call('STRLEN', file(id, 'result.zip'))
    redis.call('INCRBY', P .. 'size', size - field(id, 'size'))
    redis.call('HSET', job(id), 'state', state, 'ended', ended, 'size', size)
    redis.call('HDEL', job(id), 'stop')
    if error ~= '' then redis.call('HSET', job(id), 'error', error) end
    redis.call('ZREM', P .. 'leases', id)
    redis.call('ZREM', P .. 'line', id)
    redis.call('ZADD', P .. 'ended', now(), id)
    if field(id, 'notified') == 'pending' then
        redis.call('ZADD', P .. 'owed', 0, id)
        tell('owed')
    end
    moved(id)
end
local function wait(id)
    redis.call('ZREM', P .. 'leases', id)
    redis.call('DEL', told(id))
    local error = field(id, 'stop')
    if error then return finish(id, 'cancelled', error, tostring(now())) end
    redis.call('HSET', job(id), 'state', 'queued')
    redis.call('HDEL', job(id), 'owner')
    redis.call('ZADD', P .. 'line', redis.call('ZSCORE', P .. 'jobs', id) - 2 ^ 52, id)
    moved(id)
end
local function remove(id)
    local key, size = field(id, 'key'), field(id, 'size')
    if not size then return end
    if key then redis.call('HDEL', P .. 'keys', key) end
    redis.call('DECRBY', P .. 'size', size)
    redis.call('DEL', job(id), told(id))
    redis.call('DEL', file(id, 'request.json'), file(id, 'state.json'), file(id, 'result.zip'))
    for _, set in ipairs({'jobs', 'line', 'leases', 'ended', 'owed'}) do redis.call('ZREM', P .. set, id) end
    tell(id)
end
"""
)

TIDY = """
local before, limit = now() - ARGV[1], tonumber(ARGV[2]) - tonumber(ARGV[3])
while true do
    local first = redis.call('ZRANGE', P .. 'ended', 0, 0, 'WITHSCORES')
    local size = tonumber(redis.call('GET', P .. 'size') or 0)
    if not first[1] or (size <= limit and tonumber(first[2]) > before) then return end
    redis.call('ZREM', P .. 'ended', first[1])
    remove(first[1])
end
"""
"""(seconds that one is kept, bytes of all, bytes to come)"""

ADD = """
local id, key, state, size, request = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local me, seconds, queue, limit = ARGV[6], ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
if field(id, 'id') then return {'known', id} end
local known = key ~= '' and redis.call('HGET', P .. 'keys', key)
if known and field(known, 'id') then return {'known', known} end
if state == 'queued' and redis.call('ZCARD', P .. 'line') >= queue then return {'line'} end
if tonumber(redis.call('GET', P .. 'size') or 0) + size > limit then return {'room'} end
local place = number()
redis.call('HSET', job(id), unpack(ARGV, 10))
redis.call('SET', file(id, 'request.json'), request)
redis.call('ZADD', P .. 'jobs', place, id)
redis.call('INCRBY', P .. 'size', size)
if key ~= '' then redis.call('HSET', P .. 'keys', key, id) end
if state == 'queued' then
    redis.call('ZADD', P .. 'line', place, id)
else
    redis.call('HSET', job(id), 'owner', me)
    lease('leases', id, seconds)
end
moved(id)
return {'new', id}
"""
"""(id, key, state, size, request, me, seconds of a lease, most in the line, bytes of all, the fields)"""

RESTORE = """
local id, key, state = ARGV[1], ARGV[2], ARGV[3]
local ended, owed, size, files = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
if field(id, 'id') or (key ~= '' and redis.call('HGET', P .. 'keys', key)) then return 0 end
local place = number()
for n = 0, files - 1 do redis.call('SET', file(id, ARGV[8 + 2 * n]), ARGV[9 + 2 * n]) end
redis.call('HSET', job(id), unpack(ARGV, 8 + 2 * files))
redis.call('ZADD', P .. 'jobs', place, id)
redis.call('INCRBY', P .. 'size', size)
if key ~= '' then redis.call('HSET', P .. 'keys', key, id) end
if state == 'queued' then redis.call('ZADD', P .. 'line', place, id)
else redis.call('ZADD', P .. 'ended', ended, id) end
if owed == '1' then
    redis.call('ZADD', P .. 'owed', 0, id)
    tell('owed')
end
moved(id)
return 1
"""
"""(id, key, state, ended, whether a webhook is owed, size, how many files, names and files, the fields)"""

TAKE = """
local id = redis.call('ZRANGE', P .. 'line', 0, 0)[1]
if not id then return {} end
redis.call('ZREM', P .. 'line', id)
redis.call('HSET', job(id), 'state', 'running', 'owner', ARGV[1], 'began', ARGV[3])
redis.call('HINCRBY', job(id), 'runs', 1)
lease('leases', id, ARGV[2])
moved(id)
return record(id)
"""
"""(me, seconds of a lease, now)"""

PUT_BACK = """
if not runs(ARGV[1], ARGV[2]) then return end
redis.call('HINCRBY', job(ARGV[1]), 'runs', -1)
wait(ARGV[1])
"""
"""(id, me)"""

END = """
local id, me = ARGV[1], ARGV[2]
if field(id, 'owner') ~= me then return {} end
if field(id, 'state') == 'running' then
    if ARGV[7] then redis.call('SET', file(id, 'result.zip'), ARGV[7]) end
    finish(id, ARGV[3], ARGV[4], ARGV[5])
    if ARGV[3] == 'done' then
        redis.call('LPUSH', P .. 'paces', ARGV[6])
        redis.call('LTRIM', P .. 'paces', 0, PACE_OF - 1)
    end
end
return record(id)
"""
"""(id, me, state, error, now, the seconds that it took, and where there is one the result). Once more, it
says the same."""

CANCEL = """
local id, state = ARGV[1], field(ARGV[1], 'state')
if state == 'queued' then
    finish(id, 'cancelled', ARGV[2], ARGV[3])
elseif state == 'running' then
    redis.call('HSET', job(id), 'stop', ARGV[2])
    tell('stop:' .. id)
end
"""
"""(id, error, now)"""

RENEW = """
local me, seconds, first, stopped = ARGV[1], ARGV[2], 4 + ARGV[3], {}
for n = 4, first - 1 do
    if runs(ARGV[n], me) then
        lease('leases', ARGV[n], seconds)
        if field(ARGV[n], 'stop') then table.insert(stopped, ARGV[n]) end
    else
        table.insert(stopped, ARGV[n])
    end
end
for n = first, #ARGV do
    if redis.call('ZSCORE', P .. 'owed', ARGV[n]) then lease('owed', ARGV[n], seconds) end
end
return stopped
"""
"""(me, seconds of a lease, how many run here, their ids, those whose webhooks are sent here)

The ids of those whose work is to be ended here: they are to be stopped, or are run elsewhere."""

TAKE_OVER = """
local ids = redis.call('ZRANGEBYSCORE', P .. 'leases', '-inf', now())
for _, id in ipairs(ids) do wait(id) end
return #ids
"""

OWED = """
local id = redis.call('ZRANGEBYSCORE', P .. 'owed', '-inf', now(), 'LIMIT', 0, 1)[1]
if not id then return {} end
lease('owed', id, ARGV[1])
return record(id)
"""
"""(seconds of a lease)"""

NOTIFIED = """
redis.call('ZREM', P .. 'owed', ARGV[1])
if field(ARGV[1], 'id') then redis.call('HSET', job(ARGV[1]), 'notified', ARGV[2]) end
"""
"""(id, outcome)"""

TELL = """
if not runs(ARGV[1], ARGV[2]) then return end
for n = 3, #ARGV, 2 do
    redis.call('HSET', told(ARGV[1]), ARGV[n], number() .. ' ' .. ARGV[n + 1])
end
tell(ARGV[1])
"""
"""(id, me, a kind and what is told each)"""

KEEP = """
if runs(ARGV[1], ARGV[2]) then redis.call('SET', file(ARGV[1], 'state.json'), ARGV[3]) end
"""
"""(id, me, state)"""

JOURNAL = """
local id = ARGV[1]
local place = redis.call('ZRANK', P .. 'line', id)
return {place and place + 1 or 0, redis.call('GET', P .. 'moved') or '0', redis.call('HGETALL', told(id))}
"""
"""(id): the place or 0, the number of the line's last change, and what was told"""

NEWEST = """
local limit, client, found = tonumber(ARGV[1]), ARGV[2], {}
if client == '' then return redis.call('ZREVRANGE', P .. 'jobs', 0, limit - 1) end
for _, id in ipairs(redis.call('ZREVRANGE', P .. 'jobs', 0, -1)) do
    if field(id, 'client') == client then table.insert(found, id) end
    if #found == limit then break end
end
return found
"""
"""(how many, of which client; empty for all)"""

UNFINISHED = """
local count = 0
for _, set in ipairs({'line', 'leases'}) do
    for _, id in ipairs(redis.call('ZRANGE', P .. set, 0, -1)) do
        if field(id, 'client') == ARGV[1] then count = count + 1 end
    end
end
return count
"""
"""(client)"""

REMOVE = "remove(ARGV[1])"
