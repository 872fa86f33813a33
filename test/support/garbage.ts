import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")

/** Collects what nobody holds any more, in a process that was not started with `--expose-gc` too. */
export const collect: () => void = runInNewContext("gc")
