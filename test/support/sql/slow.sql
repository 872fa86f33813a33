-- Answers after so many milliseconds without holding the only session: the server waits, all others go on.
create function public.slow(ms integer default 100) returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform set_config('response.headers', format('[{"Embedded-Delay": "%s"}]', ms), true);
  return ms;
end
$$;

-- A true pg_sleep: PGlite's session, and with it every other request, stands still for as long.
create function public.standstill(ms integer default 100) returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform pg_catalog.pg_sleep(ms / 1000.0);
  return ms;
end
$$;

-- Fails as a function does that meant it: with the SQLSTATE, the detail and the hint it is given.
create function public.fail_with(code text, message text default 'asked to fail', detail text default '', hint text default '')
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  raise exception using errcode = code, message = message, detail = detail, hint = hint;
end
$$;
