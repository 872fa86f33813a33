/** undici alone: what a request costs without a pool, without a builder, and with nobody who reads its answer. */
import { Client, type Dispatcher } from "undici"

/** One request at a time on it. */
export const client = (url: string): Client => new Client(url, { pipelining: 1 })

/** Ends when the answer has ended. */
export const send = (on: Client, request: Dispatcher.DispatchOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    on.dispatch(request, {
      onConnect: () => {},
      onHeaders: () => true,
      onData: () => true,
      onComplete: () => resolve(),
      onError: reject
    })
  })
