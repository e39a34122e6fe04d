-- End the leases that were taken on a host before its present boot.
-- host, boot

local host, boot, gone = arg(1), arg(2), {}
for _, need in ipairs(redis.call('SMEMBERS', P .. 'needs')) do
  for _, id in ipairs(redis.call('ZRANGE', leases_key({need = need}), 0, -1)) do
    local held = fields(unit_key(id), 'host', 'boot')
    if held.host == host and held.boot ~= boot then table.insert(gone, id) end
  end
end
local after = end_leases(gone)
return {after.pending, after.failed, after.cancelled}
