-- Write down a job, unless its id or its tenant's key is known: then nothing is written. Gives the job as it stands.
-- id, tenant, key or '', package, spec

local id, tenant, key = arg(1), arg(2), arg(3)
if redis.call('EXISTS', job_key(id)) == 1 then return whole_job(id) end
if key ~= '' then
  local known = redis.call('HGET', P .. 'keys:' .. tenant, key)
  if known then return whole_job(known) end
  redis.call('HSET', P .. 'keys:' .. tenant, key, id)
  redis.call('HSET', job_key(id), 'key', key)
end
redis.call('HSET', job_key(id), 'id', id, 'tenant', tenant, 'package', arg(4), 'spec', arg(5), 'state', 'queued',
  'version', '0', 'created_ms', text(NOW), 'cancel_requested', '0')
redis.call('ZADD', P .. 'jobs:' .. tenant, next_place(), id)
redis.call('SADD', P .. 'active', id)
return whole_job(id)
