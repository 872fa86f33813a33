#!/bin/sh
# @supabase/lite 0.10.0 with @electric-sql/pglite: an embedded `users(*)` is expanded to the columns of `auth.users`.
#
# PostgREST embeds a table of the schema that is asked for, whatever other schemas have a table of that name
# (https://docs.postgrest.org/en/stable/references/api/resource_embedding.html). In a project whose `public` has a table
# `users`, lite answers `messages?select=id,users(*)` with 400, 42703, "column messages.aud does not exist": it takes the
# names of the columns from `auth.users`, and asks them of `public.users`. With the columns named, `users(username)`, and
# from the other side, `users?select=*,messages(id)`, it answers as PostgREST does; so it does for a table of another name.
#
# Seen on 2026-11-29 with Node 20.20.2:
#
#   people(*)        200 [{"id":1,"people":{"username":"ann"}}]
#   users(username)  200 [{"id":1,"users":{"username":"ann"}}]
#   users(*)         400 {"code":"42703","details":null,"hint":null,"message":"column messages.aud does not exist"}
#
# Exit code: 0 while that is so, 1 when it is otherwise, 2 when it could not be tried.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --ignore-scripts --silent @supabase/lite@0.10.0 || exit 2
cat >tried.mjs <<'END'
import { App, getAuthSchemaSql } from "@supabase/lite"
import { createPgliteConnection } from "@supabase/lite/pglite"

const key = "sb_secret_of_this_try"
const connection = await createPgliteConnection({})
await connection.driver.exec(`
  create role anon nologin;
  create role authenticated nologin;
  create role service_role nologin bypassrls;
  ${getAuthSchemaSql()}
  create table public.users (username text primary key);
  create table public.people (username text primary key);
  create table public.messages (
    id int primary key,
    username text references public.users,
    person text references public.people
  );
  insert into public.users values ('ann');
  insert into public.people values ('ann');
  insert into public.messages values (1, 'ann', 'ann');
`)
const auth = { enabled: true, jwt_secret: "a secret of this try, long enough", publishable_key: "sb_publishable_a", secret_key: key }
const options = { server: { disableStudio: true, disableFallback: true, admin: false } }
const app = new App({ connection, auth, storage: { enabled: false }, options })
await app.init()
// It writes the query of an error to the console.
console.error = console.log = () => {}
for (const embedded of ["people(*)", "users(username)", "users(*)"]) {
  const url = `http://127.0.0.1/rest/v1/messages?select=id,${embedded}`
  const response = await app.fetch(new Request(url, { headers: { apikey: key } }))
  process.stdout.write(`${embedded.padEnd(16)} ${response.status} ${await response.text()}\n`)
}
process.exit(0)
END
node tried.mjs >seen.txt 2>errors.txt || { cat errors.txt; exit 2; }
cat >expected.txt <<'END'
people(*)        200 [{"id":1,"people":{"username":"ann"}}]
users(username)  200 [{"id":1,"users":{"username":"ann"}}]
users(*)         400 {"code":"42703","details":null,"hint":null,"message":"column messages.aud does not exist"}
END
cat seen.txt
if cmp -s seen.txt expected.txt; then
  echo "as it was: users(*) is taken for auth.users"
else
  echo "otherwise than on 2026-11-29:"
  diff expected.txt seen.txt || true
  exit 1
fi
