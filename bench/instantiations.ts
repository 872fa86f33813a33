/**
 * `npm run check:instantiations`: fails where our types cost the compiler more than they did.
 *
 * What is counted is how many types it instantiates for an application of 200 operations over `dist`, as it is published,
 * beside the same queries over supabase-js alone: that is the same in each run, and on each machine.
 */
import { rmSync } from "node:fs"
import { join, resolve } from "node:path"
import process from "node:process"
import { compiled, operations, written } from "./typecheck/compiled.js"
import { type Library, libraries } from "./typecheck/libraries.js"

/** Times what supabase-js takes alone. The Effect entry's application composes effects and decodes rows by schemas, too. */
const most: ReadonlyArray<readonly [library: Library, times: number]> = [
  [libraries.effect, 1.3],
  [libraries.promise, 1]
]

const root = resolve(".scratch/instantiations")

const counted = (library: Library): number =>
  compiled(written(library, resolve("."), join(root, library.name.replaceAll("/", "+")))).instantiations

const alone = counted(libraries.supabase)
const found = most.map(([library, times]) => ({ name: library.name, times, ratio: counted(library) / alone }))
rmSync(root, { recursive: true, force: true })
for (const { name, ratio, times } of found) {
  process.stdout.write(
    `${name}: ${operations} operations take ${ratio.toFixed(3)} × the ${alone} instantiations of supabase-js alone; ${times} × is the most\n`
  )
}
if (found.some(({ ratio, times }) => !(ratio <= times))) {
  process.stderr.write(
    "The types take the compiler longer than they did. CONTRIBUTING.md (A public type) says what costs most.\n"
  )
  process.exitCode = 1
}
