-- Keep the result of the one who holds the unit: result, state, lists and event in one.
-- unit, token, result

local u, token = unit_of(arg(1)), arg(2)
if u and u.state == 'done' and u.token == token then return 'ok' end -- told again
if not u or not is_holder(u, token) then return refusal(u) end
end_unit(u, 'done')
redis.call('HSET', unit_key(u.id), 'result', arg(3))
tell_of_unit(u, 'done')
return 'ok'
