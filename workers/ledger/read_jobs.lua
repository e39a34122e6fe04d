-- A page of a tenant's jobs, newest first: their places, and the jobs. Writes nothing.
-- tenant, where the page before ended or '', most

local from = '+inf'
if arg(2) ~= '' then from = '(' .. arg(2) end
local key = P .. 'jobs:' .. arg(1)
local ids = redis.call('ZRANGE', key, from, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, arg(3))
local found = {}
for _, id in ipairs(ids) do table.insert(found, {redis.call('ZSCORE', key, id), whole_job(id)}) end
return found
