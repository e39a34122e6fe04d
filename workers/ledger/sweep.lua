-- End the leases that have expired; tell which jobs wait for a decision, and which finished long ago.
-- milliseconds that a finished job is kept or '', most of each kind at once

local most, expired = arg(2), {}
for _, need in ipairs(redis.call('SMEMBERS', P .. 'needs')) do
  local ids = redis.call('ZRANGE', leases_key({need = need}), '-inf', text(NOW), 'BYSCORE', 'LIMIT', 0, most)
  for _, id in ipairs(ids) do table.insert(expired, id) end
end
local after = end_leases(expired)
local idle, old = {}, {}
for _, job in ipairs(redis.call('SMEMBERS', P .. 'active')) do
  if redis.call('EXISTS', P .. 'open:' .. job) == 0 then table.insert(idle, job) end
end
if arg(1) ~= '' then
  old = redis.call('ZRANGE', P .. 'finished', '-inf', text(NOW - tonumber(arg(1))), 'BYSCORE', 'LIMIT', 0, most)
end
table.sort(idle)
table.sort(old)
return {after.pending, after.failed, after.cancelled, idle, old}
