/**
 * The Promise entry is published with what it needs inside, so that a process which uses both entries has each class of
 * errors twice. What one entry throws is an instance of the other's class too.
 */

interface ErrorClass {
  readonly prototype: object
  readonly name: string
}

const isOrdinary = (u: unknown, of: unknown): boolean =>
  typeof of === "function" && Reflect.apply(Function.prototype[Symbol.hasInstance], of, [u])

/** By the tag, which every copy of the class has. A class that somebody derives is asked as any other. */
export const sameInEveryCopy = (tag: string, errorClass: ErrorClass): void => {
  const brand = Symbol.for(`effect-supabase-pool/errors/${tag}`)
  // A bundle shortens it, and it is printed.
  Object.defineProperty(errorClass, "name", { value: tag })
  Object.defineProperty(errorClass.prototype, brand, { value: true })
  Object.defineProperty(errorClass, Symbol.hasInstance, {
    value(this: unknown, u: unknown): boolean {
      if (isOrdinary(u, this)) return true
      return this === errorClass && typeof u === "object" && u !== null && Reflect.get(u, brand) === true
    }
  })
}
