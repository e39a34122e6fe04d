-- A job as it stands; an empty hash when there is none. Writes nothing.
-- job

return whole_job(arg(1))
