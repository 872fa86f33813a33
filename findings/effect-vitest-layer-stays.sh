#!/bin/sh
# @effect/vitest 0.30.0 with vitest 3.2.7: `layer(…)` changes `it` for every block after its own.
#
# The block's `it` is the one that everybody imports: `layer` replaces its `effect` and `scoped`, and they stay replaced. A
# plain `it.effect` in a `describe` further down has the services of the last `layer` block before it. So a test that forgot
# its layer passes, a test that expects a service to be absent fails, and after a block with `excludeTestServices` there is
# no TestClock. With `isolate: false`, where files share a process, it goes on in the next file. Fixed for Effect 4:
# https://github.com/Effect-TS/effect-smol/pull/2177.
#
# Seen on 2026-11-30 with Node 20.20.2 and effect 3.22.4: what a test finds of a service, and of the clock (0: a TestClock).
#
#   before any block: service absent, clock 0
#   inside of layer(one): service one, clock 0
#   a describe after layer(one): service one, clock 0
#   a describe after layer(two, { excludeTestServices }): service two, clock real
#
# Exit code: 0 while that is so, 1 when it is otherwise, 2 when it could not be tried.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent effect@3.22.4 vitest@3.2.7 @effect/vitest@0.30.0 || exit 2
cat >tried.test.mjs <<'END'
import { appendFileSync } from "node:fs"
import { describe, it, layer } from "@effect/vitest"
import { Clock, Context, Effect, Layer, Option } from "effect"

const Name = Context.GenericTag("Name")

const look = (where) =>
  Effect.gen(function* () {
    const service = Option.getOrElse(yield* Effect.serviceOption(Name), () => "absent")
    const now = yield* Clock.currentTimeMillis
    appendFileSync("seen.txt", `${where}: service ${service}, clock ${now === 0 ? 0 : "real"}\n`)
  })

describe("before", () => {
  it.effect("plain", () => look("before any block"))
})
layer(Layer.succeed(Name, "one"))("block one", (it) => {
  it.effect("inside", () => look("inside of layer(one)"))
})
describe("after one", () => {
  it.effect("plain", () => look("a describe after layer(one)"))
})
layer(Layer.succeed(Name, "two"), { excludeTestServices: true })("block two", () => {
  it("nothing", () => {})
})
describe("after two", () => {
  it.effect("plain", () => look("a describe after layer(two, { excludeTestServices })"))
})
END
npx vitest run >log.txt 2>&1 || { cat log.txt; exit 2; }
cat >expected.txt <<'END'
before any block: service absent, clock 0
inside of layer(one): service one, clock 0
a describe after layer(one): service one, clock 0
a describe after layer(two, { excludeTestServices }): service two, clock real
END
cat seen.txt
cmp -s seen.txt expected.txt || exit 1
