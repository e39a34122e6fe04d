-- The units that were given up, the latest first. Writes nothing.
-- most

local found = {}
for _, id in ipairs(redis.call('ZRANGE', P .. 'dead', '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, arg(1))) do
  table.insert(found, whole_unit(id))
end
return found
