/**
 * `node bundle.mjs <bundler> <app> <folder>`: bundles an app with everything in it, as each bundler's own pages tell, and
 * prints the file to run. Runs in the folder where the bundlers are installed.
 */
import { basename, join, resolve } from "node:path"
import process from "node:process"

const [bundler, app, folder] = process.argv.slice(2)
const input = resolve(app)
const outDir = resolve(folder)
const name = basename(app, ".mjs")
const warned = []

const esbuild = (format, extension) => async () => {
  const { build } = await import("esbuild")
  const outfile = join(outDir, `${name}.${extension}`)
  await build({ entryPoints: [input], bundle: true, platform: "node", format, outfile })
  return outfile
}

const rollupPlugins = async () => {
  const [resolving, commonjs, json] = await Promise.all([
    import("@rollup/plugin-node-resolve"),
    import("@rollup/plugin-commonjs"),
    import("@rollup/plugin-json")
  ])
  return [resolving.default({ exportConditions: ["node"] }), commonjs.default(), json.default()]
}

const tsup = (format, extension) => async () => {
  const { build } = await import("tsup")
  await build({
    entry: { [name]: input },
    format,
    outDir,
    platform: "node",
    noExternal: [/.*/],
    clean: false,
    config: false,
    silent: true,
    outExtension: () => ({ js: `.${extension}` })
  })
  return join(outDir, `${name}.${extension}`)
}

const bundlers = {
  "esbuild-esm": esbuild("esm", "mjs"),
  "esbuild-cjs": esbuild("cjs", "cjs"),
  "tsup-esm": tsup("esm", "mjs"),
  "tsup-cjs": tsup("cjs", "cjs"),
  webpack: async () => {
    const { default: webpack } = await import("webpack")
    const compiler = webpack({
      mode: "production",
      target: "node20",
      entry: input,
      output: { path: outDir, filename: `${name}.cjs`, chunkFilename: "[id].cjs" }
    })
    const stats = await new Promise((done, fail) =>
      compiler.run((error, result) => (error ? fail(error) : done(result)))
    )
    if (stats.hasErrors()) throw new Error(stats.toString({ all: false, errors: true, errorDetails: false }))
    for (const { message } of stats.toJson({ all: false, warnings: true }).warnings) warned.push(message)
    return join(outDir, `${name}.cjs`)
  },
  "vite-ssr": async () => {
    const { build } = await import("vite")
    await build({
      configFile: false,
      logLevel: "warn",
      ssr: { noExternal: true },
      build: {
        ssr: true,
        outDir,
        emptyOutDir: false,
        rollupOptions: { input, output: { entryFileNames: `${name}.mjs` } }
      }
    })
    return join(outDir, `${name}.mjs`)
  },
  rollup: async () => {
    const { rollup } = await import("rollup")
    const bundle = await rollup({
      input,
      plugins: await rollupPlugins(),
      onwarn: ({ code, message }) => {
        // Of effect and its like: circles among their own modules, and comments that rollup does not know.
        if (code !== "CIRCULAR_DEPENDENCY" && code !== "INVALID_ANNOTATION" && code !== "THIS_IS_UNDEFINED")
          warned.push(message)
      }
    })
    await bundle.write({ dir: outDir, format: "esm", entryFileNames: `${name}.mjs` })
    return join(outDir, `${name}.mjs`)
  },
  rolldown: async () => {
    const { rolldown } = await import("rolldown")
    const bundle = await rolldown({ input, platform: "node", onwarn: ({ message }) => warned.push(message) })
    await bundle.write({ dir: outDir, format: "esm", entryFileNames: `${name}.mjs` })
    return join(outDir, `${name}.mjs`)
  }
}

const file = await bundlers[bundler]()
for (const message of warned) process.stderr.write(`warning: ${message}\n`)
process.stdout.write(`${file}\n`)
