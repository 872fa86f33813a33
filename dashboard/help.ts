/** Where docs/troubleshooting.md is served. The build has the address of its page in place of this file: see `vite.config.ts`. */
export const help: string = ""
