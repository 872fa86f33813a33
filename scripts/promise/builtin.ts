import process from "node:process"

/** A module of Node's that is loaded when something of it is asked for. */
export const builtin = (name: string): object =>
  new Proxy({}, { get: (_, key) => Reflect.get(process.getBuiltinModule(name) ?? {}, key) })
