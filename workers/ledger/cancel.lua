-- Ask for the end of a job, and end those of its units that nobody has begun.
-- job

local job = arg(1)
local known = fields(job_key(job), 'state', 'cancel_requested')
if not known.state then return 'unknown' end
if OVER[known.state] then return 'over' end
if known.cancel_requested == '1' then return 'ok' end
redis.call('HSET', job_key(job), 'cancel_requested', '1')
redis.call('HINCRBY', job_key(job), 'version', 1)
for _, id in ipairs(redis.call('SMEMBERS', P .. 'open:' .. job)) do
  local u = unit_of(id)
  if u.state == 'pending' then end_unit(u, 'cancelled') end
end
tell_of_job(job, 'cancel_requested')
return 'ok'
