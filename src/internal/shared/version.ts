/** The package's version; `test/shared/version.test.ts` compares it with package.json, which a bundle cannot read. */
export const version = "0.1.0"
