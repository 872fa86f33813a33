/**
 * The published Promise entry bundles its dependencies, so a process that uses both entries has each error class twice. An
 * error of one entry is an instance of the other's class too.
 */

interface ErrorClass {
  readonly prototype: object
  readonly name: string
}

const isOrdinary = (u: unknown, of: unknown): boolean =>
  typeof of === "function" && Reflect.apply(Function.prototype[Symbol.hasInstance], of, [u])

/** Compares the tag, which every copy of the class has. Derived classes use the ordinary `instanceof`. */
export const sameInEveryCopy = (tag: string, errorClass: ErrorClass): void => {
  const brand = Symbol.for(`effect-supabase-pool/errors/${tag}`)
  // A bundler shortens the name, and the name is printed.
  Object.defineProperty(errorClass, "name", { value: tag })
  Object.defineProperty(errorClass.prototype, brand, { value: true })
  Object.defineProperty(errorClass, Symbol.hasInstance, {
    value(this: unknown, u: unknown): boolean {
      if (isOrdinary(u, this)) return true
      return this === errorClass && typeof u === "object" && u !== null && Reflect.get(u, brand) === true
    }
  })
}
