-- A unit as it stands. Writes nothing.
-- unit

return whole_unit(arg(1))
