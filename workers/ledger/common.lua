-- What all scripts of the ledger share: the names of its keys, its clock, and the moves that several of them make.
-- Put before each script. ARGV begins with the numbers of the settings; a script's own arguments follow: arg(1), ...
--
-- Keys, all under diagnoser: (no name may begin like a queue: Celery's lists, "gpu", "cpu...", share this space)
--   job:{id} unit:{id}            hashes
--   units:{job} open:{job}        a job's units by place; the ones pending or running
--   jobs:{tenant} keys:{tenant}   a tenant's jobs by place; idempotency key -> job
--   active finished dead          jobs not over; jobs over, by time; units that failed, by time
--   wait:{queue}:{tenant}         pending, not yet sent, by place
--   sent:{queue}:{tenant}         pending, sent to the queue, by time
--   leases:{queue}                running, by the end of their lease
--   turn:{queue} needs            tenants by when they were served last; the queues that there are
--   ev:{job} worker:{id} workers reconciler place

local P = 'diagnoser:'
local HEADER = 4
local ATTEMPTS, LEASE_MS, EVENTS, RESEND_MS = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local LOST = 'the machine that ran it was lost, at the last of its attempts'
local OVER = {done = true, failed = true, cancelled = true}

local function arg(i) return ARGV[HEADER + i] end
local function text(number) return string.format('%.0f', number) end -- tostring() would round long numbers

local time = redis.call('TIME') -- Redis's own clock: those of workers are wrong now and then
local NOW = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function job_key(job) return P .. 'job:' .. job end
local function unit_key(unit) return P .. 'unit:' .. unit end
local function wait_key(u) return P .. 'wait:' .. u.need .. ':' .. u.tenant end
local function sent_key(u) return P .. 'sent:' .. u.need .. ':' .. u.tenant end
local function leases_key(u) return P .. 'leases:' .. u.need end

-- Some fields of a hash, by name; what is not there is nil.
local function fields(key, ...)
  local found = redis.call('HMGET', key, ...)
  local named = {}
  for i, name in ipairs({...}) do named[name] = found[i] or nil end
  return named
end

local function next_place() return redis.call('INCR', P .. 'place') end

local function tell(job, kind, data)
  redis.call('XADD', P .. 'ev:' .. job, 'MAXLEN', '~', EVENTS, '*', 'kind', kind, 'data', data)
end

-- Ids and states need no quoting.
local function tell_of_unit(u, state) tell(u.job, 'unit', '{"unit": "' .. u.id .. '", "state": "' .. state .. '"}') end
local function tell_of_job(job, state) tell(job, 'job', '{"state": "' .. state .. '"}') end

-- A unit, with what of its job decides about it; nil when there is none.
local function unit_of(id)
  local u = fields(unit_key(id), 'job', 'tenant', 'need', 'place', 'state', 'attempts', 'token')
  if not u.state then return nil end
  local job = fields(job_key(u.job), 'state', 'cancel_requested')
  u.id, u.job_state, u.cancel_requested, u.attempts = id, job.state, job.cancel_requested == '1', tonumber(u.attempts)
  return u
end

local function is_open(u) return u.state == 'pending' or u.state == 'running' end

-- Fencing: is this token the one that the unit was given to last?
local function is_holder(u, token) return u.state == 'running' and u.token == token end

-- Does somebody hold the unit now?
local function is_leased(u)
  return u.state == 'running' and tonumber(redis.call('ZSCORE', leases_key(u), u.id)) > NOW
end

local function refusal(u)
  if not u then return 'unknown' end
  if OVER[u.job_state] then return 'over' end
  if is_open(u) then return 'stale' end
  return 'ended'
end

-- Take a unit off every list of things to do.
local function unlist(u)
  redis.call('ZREM', wait_key(u), u.id)
  redis.call('ZREM', sent_key(u), u.id)
  redis.call('ZREM', leases_key(u), u.id)
end

local function end_unit(u, state)
  unlist(u)
  redis.call('SREM', P .. 'open:' .. u.job, u.id)
  redis.call('HSET', unit_key(u.id), 'state', state, 'finished_ms', text(NOW))
  u.state = state
end

-- Make a unit wait for its tenant's turn, at its old place.
local function line_up(u)
  redis.call('HSET', unit_key(u.id), 'state', 'pending')
  redis.call('ZADD', wait_key(u), u.place, u.id)
  u.state = 'pending'
end

-- End a lease without a result: pending again, cancelled if that was asked for, failed after the last attempt.
local function put_back(u, reason, because)
  if u.cancel_requested then
    end_unit(u, 'cancelled')
    tell_of_unit(u, 'cancelled')
  elseif u.attempts >= ATTEMPTS then
    end_unit(u, 'failed')
    redis.call('HSET', unit_key(u.id), 'reason', reason, 'because', because)
    redis.call('ZADD', P .. 'dead', text(NOW), u.id)
    tell_of_unit(u, 'failed')
  else
    unlist(u)
    line_up(u)
  end
  return u.state
end

local function expire(u) return put_back(u, 'worker_lost', LOST) end

-- End these leases; the units by what became of them.
local function end_leases(ids)
  local after = {pending = {}, failed = {}, cancelled = {}}
  for _, id in ipairs(ids) do table.insert(after[expire(unit_of(id))], id) end
  for _, units in pairs(after) do table.sort(units) end
  return after
end

-- A hash as it stands, with what is kept beside it.
local function whole_job(job) return {redis.call('HGETALL', job_key(job)), redis.call('SCARD', P .. 'open:' .. job)} end
local function whole_unit(id)
  local need = redis.call('HGET', unit_key(id), 'need')
  if not need then return false end
  return {redis.call('HGETALL', unit_key(id)), redis.call('ZSCORE', leases_key({need = need}), id)}
end
