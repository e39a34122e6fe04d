-- How many units are pending and running, queue by queue. Writes nothing.

local needs, found = redis.call('SMEMBERS', P .. 'needs'), {}
table.sort(needs)
for _, need in ipairs(needs) do
  local pending, running = 0, redis.call('ZCARD', leases_key({need = need}))
  for _, tenant in ipairs(redis.call('ZRANGE', P .. 'turn:' .. need, 0, -1)) do
    local u = {need = need, tenant = tenant}
    pending = pending + redis.call('ZCARD', wait_key(u)) + redis.call('ZCARD', sent_key(u))
  end
  if pending + running > 0 then table.insert(found, {need, pending, running}) end
end
return found
