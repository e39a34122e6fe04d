-- Does nobody wait any more for the units of this job? Writes nothing.
-- job

local job = fields(job_key(arg(1)), 'state', 'cancel_requested')
if not job.state or job.cancel_requested == '1' or OVER[job.state] then return 1 end
return 0
