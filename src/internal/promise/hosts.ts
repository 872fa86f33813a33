/** The pools of this process that nobody made by hand: those of the environment, and those of other addresses. */
import { Effect } from "effect"
import { Host } from "./host.js"
import { addressInEnvironment, fromEnvironment, withoutKeys } from "./layers.js"

const withoutSlashes = (url: string): string => url.trim().replace(/\/+$/, "")

export class Hosts {
  private readonly others: Map<string, Host> = new Map()
  readonly shared: Host = new SharedHost(this.others)

  /** The one for an address: the environment's own where it is the environment's. */
  of(url: string): Host {
    const address = withoutSlashes(url)
    const known = this.others.get(address)
    if (known !== undefined) return known
    const own = Effect.runSync(addressInEnvironment)
    const host = own === address ? this.shared : new Host(withoutKeys(address))
    this.others.set(address, host)
    return host
  }
}

/** Shut down, it takes all of them with it. */
class SharedHost extends Host {
  private readonly others: ReadonlyMap<string, Host>

  constructor(others: ReadonlyMap<string, Host>) {
    super(fromEnvironment, withoutKeys())
    this.others = others
  }

  override async shutdown(): Promise<void> {
    const others = [...this.others.values()].filter((host) => host !== this)
    await Promise.all([super.shutdown(), ...others.map((host) => host.shutdown())])
  }
}
