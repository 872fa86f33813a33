/**
 * Loads an optional peer on demand; rejects if it is not installed. The caller states the module's type.
 *
 * Bundlers must not resolve it, since most applications do not have it, and a missing module fails the bundle. So the name
 * is a value, and a comment for each bundler leaves the import to Node, which looks in the `node_modules` above the bundle.
 */
export const optionalPeer = <Module>(name: string): Promise<Module> =>
  import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ name)
