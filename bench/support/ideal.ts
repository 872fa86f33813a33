/** What an ideal queue would have made of arrivals. */

/** First come first served by so many servers, with no cost of its own: each takes the server that is free first. */
export const idealLatencies = (
  times: ReadonlyArray<number>,
  services: ReadonlyArray<number>,
  servers: number
): ReadonlyArray<number> => {
  const free = new Array<number>(servers).fill(0)
  return times.map((at, n) => {
    let first = 0
    for (let server = 1; server < servers; server += 1) if ((free[server] ?? 0) < (free[first] ?? 0)) first = server
    const ends = Math.max(at, free[first] ?? 0) + (services[n] ?? 0)
    free[first] = ends
    return ends - at
  })
}
