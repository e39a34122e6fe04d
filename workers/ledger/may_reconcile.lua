-- Take or keep the turn to sweep, unless it is another's.
-- owner, milliseconds

local key = P .. 'reconciler'
local owner = redis.call('GET', key)
if owner and owner ~= arg(1) then return 0 end
redis.call('SET', key, arg(1), 'PX', arg(2))
return 1
