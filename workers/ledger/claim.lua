-- Take a unit that is pending, or whose lease has expired: attempt, token, lease and the job's state in one.
-- unit, token, worker, host, boot

local u, token = unit_of(arg(1)), arg(2)
if not u or OVER[u.job_state] or not is_open(u) then return {refusal(u)} end
if is_leased(u) then
  if u.token == token then return {'ok', whole_unit(u.id)} end -- its answer was lost
  return {'leased'}
end
if u.token == token then return {'stale'} end -- a token that lost its lease gets no other
if u.state == 'running' then
  local after = expire(u)
  if after == 'failed' then return {'exhausted'} end
  if after == 'cancelled' then return {'over'} end
end
unlist(u)
redis.call('HINCRBY', unit_key(u.id), 'attempts', 1)
redis.call('HSET', unit_key(u.id), 'state', 'running', 'token', token, 'worker', arg(3), 'host', arg(4), 'boot', arg(5))
redis.call('ZADD', leases_key(u), text(NOW + LEASE_MS), u.id)
if u.job_state == 'queued' then
  redis.call('HSET', job_key(u.job), 'state', 'running')
  tell_of_job(u.job, 'running')
end
return {'ok', whole_unit(u.id)}
