/** The database as one caller has it: on these pools, and as this user where there is one. */
import type { Effect } from "effect"
import type { Host, Running } from "./host.js"
import type { Services } from "./layers.js"
import type { User } from "./user.js"

/** One fiber and one promise, outside of the caller's async context. */
export type Run = <A, E>(operation: (running: Running) => Effect.Effect<A, E, Services>) => Promise<A>

export class View {
  readonly host: Host
  readonly user: User | undefined

  constructor(host: Host, user?: User) {
    this.host = host
    this.user = user
  }

  readonly run: Run = (operation) => {
    const { host, user } = this
    return host.runOutside((running) => {
      const effect = operation(running)
      return user === undefined ? effect : user.as(running, effect)
    })
  }
}
