/** What the package calls itself; `test/shared/version.test.ts` holds it against package.json, which not everybody can read. */
export const version = "0.1.0"
