/** Whether each request of many at once sees its own cookies and headers inside a callback of the pool. */
import type { Report } from "./report.js"

const requests = 160

export const tryContext = async (url: string, what: string, report: Report): Promise<void> => {
  const ask = async (name: string): Promise<boolean> => {
    const response = await fetch(`${url}/context`, { headers: { cookie: `who=${name}`, "x-who": name } })
    const seen: unknown = await response.json()
    return Array.isArray(seen) && seen.length === 6 && seen.every((each) => each === name)
  }
  const right = await Promise.all(Array.from({ length: requests }, (_, index) => ask(`caller-${index}`)))
  const wrong = right.filter((each) => !each).length
  report.expect(
    `${what}: ${requests} requests at once each see their own cookies and headers`,
    wrong === 0,
    `${wrong} do not`
  )
}
