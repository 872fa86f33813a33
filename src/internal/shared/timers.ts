/**
 * Node's timers and clocks as they were when this was loaded. A spec that replaces them (`vi.useFakeTimers`, Jest's, those
 * of `node:test`) only means its own code; with fake timers a request would wait for a turn of the event loop that never
 * comes.
 */
export const realTime = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  setImmediate: globalThis.setImmediate,
  queueMicrotask: globalThis.queueMicrotask,
  // biome-ignore lint/plugin: for the clock, which is of the edge
  dateNow: Date.now.bind(Date),
  // biome-ignore lint/style/noRestrictedGlobals: as above
  steadyNow: performance.now.bind(performance)
}
