-- Lengthen a lease, for the one who holds it. Works when memory is full: it takes none.
-- unit, token

local u = unit_of(arg(1))
if not u or not is_holder(u, arg(2)) then return refusal(u) end
redis.call('ZADD', leases_key(u), 'XX', text(NOW + LEASE_MS), u.id)
return 'ok'
