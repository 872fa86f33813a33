/**
 * Loads an optional peer where it is asked for; rejects where it is not installed. The caller says which module's type it
 * has.
 *
 * A bundler must not look for it, since most applications have it not, and a bundle is refused for what it does not find.
 * So the name is a value, and each bundler is told in its own words to leave the import to Node, which looks in the
 * `node_modules` above the bundle.
 */
export const optionalPeer = <Module>(name: string): Promise<Module> =>
  import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ name)
