-- Add the units of a phase, if the job is at the version that they were decided at; else none of them.
-- job, expected version, phase, then for each unit: id, step, need, content

local job, phase = arg(1), arg(3)
local known = fields(job_key(job), 'tenant', 'state', 'version', 'phase', 'cancel_requested')
if not known.state then return 'unknown' end
if OVER[known.state] or known.cancel_requested == '1' then return 'over' end
local FIRST, SIZE, last = 4, 4, #ARGV - HEADER
if known.version ~= arg(2) then -- the same decision, made twice?
  if known.phase ~= phase then return 'stale' end
  for i = FIRST, last, SIZE do
    if redis.call('EXISTS', unit_key(arg(i))) == 0 then return 'stale' end
  end
  return 'ok'
end
for i = FIRST, last, SIZE do
  local u = {id = arg(i), need = arg(i + 2), tenant = known.tenant}
  redis.call('SADD', P .. 'needs', u.need)
  if not redis.call('ZSCORE', P .. 'turn:' .. u.need, u.tenant) then
    redis.call('ZADD', P .. 'turn:' .. u.need, next_place(), u.tenant)
  end
  if redis.call('EXISTS', unit_key(u.id)) == 0 then
    u.place = next_place()
    redis.call('HSET', unit_key(u.id), 'id', u.id, 'job', job, 'tenant', u.tenant, 'step', arg(i + 1), 'need', u.need,
      'content', arg(i + 3), 'state', 'pending', 'attempts', '0', 'created_ms', text(NOW), 'place', u.place)
    redis.call('ZADD', P .. 'units:' .. job, u.place, u.id)
    redis.call('SADD', P .. 'open:' .. job, u.id)
    redis.call('ZADD', wait_key(u), u.place, u.id)
  end
end
redis.call('HSET', job_key(job), 'phase', phase)
redis.call('HINCRBY', job_key(job), 'version', 1)
return 'ok'
