-- Give a unit back as if it had never been taken.
-- unit, token

local u = unit_of(arg(1))
if not u or not is_holder(u, arg(2)) then return refusal(u) end
u.attempts = redis.call('HINCRBY', unit_key(u.id), 'attempts', -1)
put_back(u, 'worker_lost', LOST)
return 'ok'
