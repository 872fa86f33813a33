/**
 * Where a file of this package is, from its root, seen from `src` and from `dist`.
 *
 * The path is a value, since a bundler takes `new URL("…", import.meta.url)` for a file to include. In a bundle nothing of
 * this package is beside it, and in one of CommonJS no module has an address: what is looked for there is just not found.
 */
export const packageUrl = (path: string): URL =>
  new URL(
    /* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ `../../../${path}`,
    import.meta.url ?? "file:///"
  )
