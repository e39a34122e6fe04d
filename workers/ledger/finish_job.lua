-- End a job at the version that this was decided at, and all that is open with it.
-- job, expected version, state, archive or '', reason or '', because or ''

local job, state, archive = arg(1), arg(3), arg(4)
local known = fields(job_key(job), 'state', 'version', 'archive')
if not known.state then return 'unknown' end
if OVER[known.state] then
  if known.state == state and (known.archive or '') == archive then return 'ok' end -- told again
  return 'over'
end
if known.version ~= arg(2) then return 'stale' end
for _, id in ipairs(redis.call('SMEMBERS', P .. 'open:' .. job)) do end_unit(unit_of(id), 'cancelled') end
for name, value in pairs({archive = archive, reason = arg(5), because = arg(6)}) do
  if value ~= '' then redis.call('HSET', job_key(job), name, value) end
end
redis.call('HSET', job_key(job), 'state', state, 'finished_ms', text(NOW))
redis.call('HINCRBY', job_key(job), 'version', 1)
redis.call('SREM', P .. 'active', job)
redis.call('ZADD', P .. 'finished', text(NOW), job)
tell_of_job(job, state)
return 'ok'
