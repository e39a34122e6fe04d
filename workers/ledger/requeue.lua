-- Give a job's failed units their attempts back, and open the job again if it is over. Gives the units.
-- job

local job = arg(1)
local known = fields(job_key(job), 'state', 'cancel_requested')
if not known.state or known.cancel_requested == '1' or known.state == 'cancelled' then return {} end
local failed = {}
for _, id in ipairs(redis.call('ZRANGE', P .. 'units:' .. job, 0, -1)) do
  local u = unit_of(id)
  if u.state == 'failed' then table.insert(failed, u) end
end
if #failed == 0 then return {} end
local ids = {}
for _, u in ipairs(failed) do
  redis.call('HDEL', unit_key(u.id), 'finished_ms', 'reason', 'because')
  redis.call('HSET', unit_key(u.id), 'attempts', '0')
  redis.call('ZREM', P .. 'dead', u.id)
  redis.call('SADD', P .. 'open:' .. job, u.id)
  line_up(u)
  table.insert(ids, u.id)
end
redis.call('HDEL', job_key(job), 'finished_ms', 'archive', 'reason', 'because')
redis.call('HSET', job_key(job), 'state', 'running')
redis.call('HINCRBY', job_key(job), 'version', 1)
redis.call('ZREM', P .. 'finished', job)
redis.call('SADD', P .. 'active', job)
tell_of_job(job, 'running')
return ids
