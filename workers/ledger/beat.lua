-- Note that a worker lives, for as long as a heartbeat counts.
-- name, what it says of itself, milliseconds

local key = P .. 'worker:' .. arg(1)
redis.call('HSET', key, 'body', arg(2), 'seen_ms', text(NOW))
redis.call('PEXPIRE', key, arg(3))
redis.call('SADD', P .. 'workers', arg(1))
return 'ok'
