/** Imports what its arguments name; prints what that took. */
const before = process.cpuUsage()
const since = performance.now()
for (const name of process.argv.slice(2)) await import(name)
const wall = performance.now() - since
const { system, user } = process.cpuUsage(before)
process.stdout.write(`${JSON.stringify({ cpu: (system + user) / 1_000, wall })}\n`)
process.exit(0)
