/** What `npm start` runs: `supabase-pool serve`, with the same options. */
import { program } from "./internal/cli/program.js"

program(["serve", ...process.argv.slice(2)])
