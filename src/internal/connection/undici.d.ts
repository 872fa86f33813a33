/**
 * `#undici`: the part of undici that is used, which `scripts/bundleUndici.ts` makes one ES module, in `vendor`.
 *
 * As it comes, undici is CommonJS: its `require("node:assert")` fails in a bundle of ES modules. And the whole of it takes
 * longer to load than all of this package.
 */
import type * as Undici from "undici"

export const Client: typeof Undici.Client
export type Client = Undici.Client
