import { type ReactNode, useSyncExternalStore } from "react"
import { StatusBadge } from "./frame.js"

/**
 * The page as a server renders it, and as a browser shows it until hydration.
 *
 * It uses no hook. If a framework leaves this package out of its bundle (`serverExternalPackages` in Next.js), another copy
 * of React renders it than the one imported here, and the hooks of this one fail.
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

/** False while a browser hydrates the server's output, and true afterwards. */
export const useIsTakenOver = (): boolean =>
  useSyncExternalStore(
    unchanging,
    () => true,
    () => false
  )
