/**
 * What an edge runtime is given in place of each entry (`exports` of package.json): it has no sockets of Node's. CommonJS, whose
 * exports nobody checks before this is said.
 */
throw new Error(
  "effect-supabase-pool cannot run here: an edge runtime has no node:net, which the pool's sockets are made of. Run this " +
    'route on Node (in Next.js: `export const runtime = "nodejs"`), or call supabase-js itself.'
)
