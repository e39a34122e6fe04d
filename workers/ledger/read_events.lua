-- What a job's watchers were told after an event. Writes nothing.
-- job, the event, most

return redis.call('XRANGE', P .. 'ev:' .. arg(1), '(' .. arg(2), '+', 'COUNT', arg(3))
