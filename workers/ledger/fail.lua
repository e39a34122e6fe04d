-- Give a unit back as one attempt that led nowhere; the last attempt fails it.
-- unit, token, because

local u = unit_of(arg(1))
if not u or not is_holder(u, arg(2)) then return refusal(u) end
put_back(u, 'engine_error', arg(3))
return 'ok'
