/**
 * Imports go down. A public module may reach, by itself or by way of src/internal, only modules on its own floor or
 * below; so a file in src/internal stands no higher than the lowest public module that uses it.
 */
const publicModule = (names) => `^src/(${names})([.]tsx?$|/)`

const floors = [
  publicModule("Config|Errors|Values"),
  publicModule("Pool|Connection|Retry|RateLimit|Audit|Metrics"),
  publicModule("Db|Transaction"),
  publicModule("Marketplace|Health"),
  publicModule("Http|promise|react|Alerts|embedded"),
  "^(src/(main|bin|cli|internal/cli|internal/server)([.]tsx?$|/)|dashboard/)"
]

const goesDown = floors.slice(0, -1).map((floor, height) => ({
  name: `floor-${height}-imports-down`,
  severity: "error",
  comment: `A module on floor ${height} reaches one on a floor above. CONTRIBUTING.md shows the floors.`,
  from: { path: floor },
  to: { path: floors.slice(height + 1), reachable: true }
}))

/** What importing "." must not load: React, the embedded database, Node's HTTP server. */
const notInIndex = [
  "^src/(embedded|react|promise)([.]tsx?$|/)",
  "^node_modules/(react|@hono|@supabase/lite|@effect/platform-node|@effect/cli)/",
  "^(node:)?https?$"
]

export default {
  forbidden: [
    ...goesDown,
    {
      name: "every-public-module-has-a-floor",
      severity: "error",
      comment: "Add the new module to `floors` in .dependency-cruiser.mjs.",
      from: { path: "^src/(?!internal/|index[.])", pathNot: floors },
      to: {}
    },
    {
      name: "no-circle",
      severity: "error",
      comment: "Two modules that need each other are one, or lack a third below them. Types may go round.",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } }
    },
    {
      name: "index-stays-light",
      severity: "error",
      comment: "Importing effect-supabase-pool pulls in neither React, nor the embedded database, nor Node's http.",
      from: { path: "^src/index[.]ts$" },
      to: { path: notInIndex, reachable: true }
    },
    {
      name: "react-runs-in-browsers",
      severity: "error",
      comment: "The component may reach nothing of Node: neither its modules, nor what opens sockets or files.",
      from: { path: "^(src/react[.]tsx|dashboard/(main|page|token)[.]tsx?)$" },
      to: { path: "^node:|^vendor/|^node_modules/(undici|@effect/platform|@supabase)|^src/[A-Z]", reachable: true }
    },
    {
      name: "platform-by-module",
      severity: "error",
      comment: "The barrel of @effect/platform loads all of it. What the index reaches names the module it needs.",
      from: { path: "^src/", pathNot: "^src/internal/(server|cli)/" },
      to: { path: "^node_modules/@effect/platform/dist/.*/index[.]", dependencyTypesNot: ["type-only"] }
    },
    {
      name: "redis-on-demand",
      severity: "error",
      comment: "RateLimit/Redis.ts is loaded when RateLimit.layerRedis is built, and not by importing anything.",
      from: { path: "^src/" },
      to: { path: "^src/RateLimit/Redis[.]ts$", dependencyTypesNot: ["dynamic-import", "type-only"] }
    },
    {
      name: "redis-only-there",
      severity: "error",
      comment: "The package redis is optional: only RateLimit/Redis.ts imports it.",
      from: { path: "^src/", pathNot: "^src/RateLimit/Redis[.]ts$" },
      to: { path: "^node_modules/(redis|@redis)/" }
    },
    {
      name: "index-is-for-users",
      severity: "error",
      comment: "Inside src, import the module itself: the index imports everything.",
      from: { path: "^src/" },
      to: { path: "^src/index[.]ts$" }
    },
    {
      name: "alpha-stays-behind-embedded",
      severity: "error",
      comment: "@supabase/lite is alpha: everything that knows it stays behind src/embedded.",
      from: { path: "^src/", pathNot: "^src/(internal/)?embedded([.]ts$|/)" },
      to: { path: "^node_modules/(@supabase/lite|@hono/node-server)/" }
    },
    {
      name: "examples-import-what-users-can",
      severity: "error",
      comment: "An example is copied: it must not need what the package does not export.",
      from: { path: "^examples/" },
      to: { path: "^src/internal/" }
    },
    {
      name: "src-imports-only-src",
      severity: "error",
      comment: "Tests, benches and scripts are not in the package.",
      from: { path: "^src/" },
      to: { path: "^(test|bench|examples|scripts|dashboard)/" }
    },
    {
      name: "resolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true }
    },
    {
      name: "no-dev-dependency-in-src",
      severity: "error",
      comment:
        "What src imports has to be a dependency or a peer, or users do not have it. The command line has it inside.",
      from: { path: "^src/", pathNot: "^src/internal/cli/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg"],
        dependencyTypesNot: ["npm", "npm-peer", "npm-optional", "type-only"]
      }
    }
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // Built with packages of their own: npm run test:bundlers.
    exclude: { path: "^(examples/nextjs|test/bundlers|test/runtimes)" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"]
    }
  }
}
