-- The workers that live; those that are gone are dropped from the list. What each said, and when.

local names, found = redis.call('SMEMBERS', P .. 'workers'), {}
table.sort(names)
for _, name in ipairs(names) do
  local worker = fields(P .. 'worker:' .. name, 'body', 'seen_ms')
  if worker.body then
    table.insert(found, {worker.body, worker.seen_ms})
  else
    redis.call('SREM', P .. 'workers', name)
  end
end
return found
