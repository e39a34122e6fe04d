-- Choose what to enqueue now, and note it as sent: what was lost on the way, then what the tenants' turns bring.
-- window, then for each queue: its name, its present length

local window, waiting = tonumber(arg(1)), {}
for i = 2, #ARGV - HEADER, 2 do waiting[arg(i)] = tonumber(arg(i + 1)) end
local chosen = {}
local function send(u)
  redis.call('ZADD', sent_key(u), text(NOW), u.id)
  table.insert(chosen, u.id)
  table.insert(chosen, u.need)
end

local needs = redis.call('SMEMBERS', P .. 'needs')
table.sort(needs)
for _, need in ipairs(needs) do
  local turn = P .. 'turn:' .. need
  local tenants, sent, overdue = redis.call('ZRANGE', turn, 0, -1), 0, {}
  for _, tenant in ipairs(tenants) do
    local key = sent_key({need = need, tenant = tenant})
    sent = sent + redis.call('ZCARD', key)
    for _, id in ipairs(redis.call('ZRANGE', key, '-inf', text(NOW - RESEND_MS), 'BYSCORE')) do
      local place = tonumber(redis.call('HGET', unit_key(id), 'place'))
      table.insert(overdue, {id = id, need = need, tenant = tenant, place = place})
    end
  end
  if sent > (waiting[need] or 0) then -- else they are all in the queue still
    table.sort(overdue, function(one, other) return one.place < other.place end)
    for _, u in ipairs(overdue) do send(u) end
  end
  -- Round after round, in the order of their turns, until nobody has both a unit that waits and room in the window.
  local progress = true
  while progress do
    progress = false
    for _, tenant in ipairs(tenants) do
      local u = {need = need, tenant = tenant}
      if redis.call('ZCARD', sent_key(u)) < window then
        u.id = redis.call('ZPOPMIN', wait_key(u))[1]
        if u.id then
          send(u)
          redis.call('ZADD', turn, next_place(), tenant)
          progress = true
        end
      end
    end
  end
end
return chosen
