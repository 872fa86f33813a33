#!/bin/sh
# @opentelemetry/instrumentation-undici 0.33.0: a request that has a `traceparent` gets a second one, and the trace is lost.
#
# The instrumentation adds what the propagator injects by `request.addHeader`, and does not look at what is there. So where
# somebody has put the header on already (Effect's HttpClient, a library with a tracer of its own, a proxy that passes it on),
# two lines are sent. Node joins them as "a, b", which is no valid value, and the W3C propagator of the receiving side
# reads no parent from it: the trace ends there, as if neither had been sent. W3C Trace Context says of it: "If more than one
# traceparent header is received, the value is invalid" (https://www.w3.org/TR/trace-context/#traceparent-header).
#
# Source: onRequestCreated in
# https://github.com/open-telemetry/opentelemetry-js-contrib/blob/main/packages/instrumentation-undici/src/undici.ts
#
# Seen on 2026-11-30 with Node 20.20.2, undici 7.30.2 and @opentelemetry/sdk-trace-node 2.12.1:
#
#   without a header of its own: 1 line, parent read
#   with one: 2 lines, no parent read
#
# Exit code: 0 while that is so, 1 when it is otherwise, 2 when it could not be tried.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --ignore-scripts --silent undici@7.30.2 @opentelemetry/api@1.9.1 \
  @opentelemetry/core@2.12.1 @opentelemetry/sdk-trace-node@2.12.1 @opentelemetry/instrumentation-undici@0.33.0 || exit 2
cat >tried.mjs <<'END2'
import { createServer } from "node:http"
import { defaultTextMapGetter, ROOT_CONTEXT, trace } from "@opentelemetry/api"
import { W3CTraceContextPropagator } from "@opentelemetry/core"
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici"
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node"
import { request } from "undici"

const provider = new NodeTracerProvider()
provider.register()
new UndiciInstrumentation().setTracerProvider(provider)

const server = createServer(({ headers, rawHeaders }, response) => {
  const lines = rawHeaders.filter((text, at) => at % 2 === 0 && text.toLowerCase() === "traceparent").length
  const read = trace.getSpanContext(new W3CTraceContextPropagator().extract(ROOT_CONTEXT, headers, defaultTextMapGetter))
  response.end(`${lines} ${lines === 1 ? "line" : "lines"}, ${read === undefined ? "no parent read" : "parent read"}`)
})
server.listen(0, "127.0.0.1", async () => {
  const url = `http://127.0.0.1:${server.address().port}`
  const ask = async (headers) => (await (await request(url, { headers })).body.text())
  console.log(`without a header of its own: ${await ask({})}`)
  console.log(`with one: ${await ask({ traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" })}`)
  process.exit(0)
})
END2
node tried.mjs >seen.txt 2>errors.txt || { cat errors.txt; exit 2; }
cat >expected.txt <<'END2'
without a header of its own: 1 line, parent read
with one: 2 lines, no parent read
END2
cat seen.txt
if cmp -s seen.txt expected.txt; then
  echo "as it was: the second traceparent makes both invalid"
else
  echo "otherwise than on 2026-11-30:"
  diff expected.txt seen.txt || true
  exit 1
fi
