-- A page of a job's units by their places. Writes nothing.
-- job, where the page before ended or '', most

local from = '-inf'
if arg(2) ~= '' then from = '(' .. arg(2) end
local key = P .. 'units:' .. arg(1)
local found = {}
for _, id in ipairs(redis.call('ZRANGE', key, from, '+inf', 'BYSCORE', 'LIMIT', 0, arg(3))) do
  table.insert(found, {redis.call('ZSCORE', key, id), whole_unit(id)})
end
return found
