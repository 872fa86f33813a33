/** Methods of supabase-js's classes, replaced once for the process. */

/** None that is replaced has more parameters. */
export type Method = (this: object, first: unknown, second: unknown, third: unknown) => unknown

export const isMethod = (value: unknown): value is Method => typeof value === "function"

const known: WeakSet<object> = new WeakSet()

/** Replaces methods of an object's class, once for each class. */
export const replaceIn = (it: object, replaced: (base: object) => Readonly<Record<string, Method>>): void => {
  const base: unknown = Object.getPrototypeOf(it)
  if (typeof base !== "object" || base === null || known.has(base)) return
  known.add(base)
  for (const [name, value] of Object.entries(replaced(base))) {
    Object.defineProperty(base, name, { value, writable: true, configurable: true })
  }
}

/** Those of the methods that this version of supabase-js has, each replaced. */
export const replacing =
  (names: ReadonlyArray<string>, replace: (name: string, method: Method) => Method) =>
  (base: object): Readonly<Record<string, Method>> =>
    Object.fromEntries(
      names.flatMap((name) => {
        const method: unknown = Reflect.get(base, name)
        return isMethod(method) ? [[name, replace(name, method)]] : []
      })
    )
