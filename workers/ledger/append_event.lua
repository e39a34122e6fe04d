-- Tell the watchers of a job something, if there is such a job.
-- job, kind, data

if redis.call('EXISTS', job_key(arg(1))) == 0 then return 'unknown' end
tell(arg(1), arg(2), arg(3))
return 'ok'
