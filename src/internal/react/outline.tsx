import { type ReactNode, useSyncExternalStore } from "react"
import { StatusBadge } from "./frame.js"

/**
 * What a server renders, and a browser until it has taken that over.
 *
 * It uses no hook. Where a framework leaves this package out of its bundle (`serverExternalPackages` in Next.js) it is
 * rendered by a React that is not the one imported here, and that one's hooks fail.
 */
export const Outline = (): ReactNode => (
  <section className="spm" aria-label="Database pool">
    <header className="spm-head">
      <h2>Database pool</h2>
      <StatusBadge status={undefined} lost={false} />
    </header>
  </section>
)

const unchanging = (): (() => void) => () => {}

/** False while a browser takes over what a server rendered, and true ever after. */
export const useIsTakenOver = (): boolean =>
  useSyncExternalStore(
    unchanging,
    () => true,
    () => false
  )
