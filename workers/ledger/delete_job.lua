-- Forget a job that is over: its units, its events, its key. Works when memory is full: it gives some back.
-- job

local job = arg(1)
local known = fields(job_key(job), 'state', 'tenant', 'key')
if not known.state then return 'unknown' end
if not OVER[known.state] then return 'not_over' end
for _, id in ipairs(redis.call('ZRANGE', P .. 'units:' .. job, 0, -1)) do
  redis.call('ZREM', P .. 'dead', id)
  redis.call('UNLINK', unit_key(id))
end
if known.key then redis.call('HDEL', P .. 'keys:' .. known.tenant, known.key) end
redis.call('ZREM', P .. 'jobs:' .. known.tenant, job)
redis.call('ZREM', P .. 'finished', job)
redis.call('UNLINK', job_key(job), P .. 'units:' .. job, P .. 'open:' .. job, P .. 'ev:' .. job)
return 'ok'
