/**
 * Where a file of this package is, from its root, seen from `src` and from `dist`.
 *
 * The path is a value, since a bundler treats `new URL("…", import.meta.url)` as a file to include. A bundle has no other
 * files of this package beside it, and in a CommonJS bundle modules have no URL: the file is then simply not found.
 */
export const packageUrl = (path: string): URL =>
  new URL(
    /* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ `../../../${path}`,
    import.meta.url ?? "file:///"
  )
