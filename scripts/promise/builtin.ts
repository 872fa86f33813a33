/** Importing it asks for all that it has, the standard streams among it, which takes 5 ms. */
const { process } = globalThis

/** A module of Node's that is loaded when something of it is asked for. */
export const builtin = (name: string): object =>
  new Proxy(
    {},
    {
      get: (_, key) => Reflect.get(process.getBuiltinModule(name) ?? {}, key),
      has: (_, key) => Reflect.has(process.getBuiltinModule(name) ?? {}, key)
    }
  )
