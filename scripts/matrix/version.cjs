// Loaded into each Node process of a run of the matrix: says which version it is, so that none can be another by mistake.
const { appendFileSync } = require("node:fs")
const { isMainThread } = require("node:worker_threads")

const file = process.env.MATRIX_VERSIONS
if (isMainThread && file !== undefined) appendFileSync(file, `${process.version}\n`)
