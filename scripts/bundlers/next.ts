import type { Node } from "../matrix/node.js"
import type { Report } from "./report.js"
import type { Database } from "./server.js"
import type { Work } from "./work.js"
export const nextApps: ReadonlyArray<string> = []
export const tryNext = async (
  _n: string,
  _w: Work,
  _d: Database,
  _m: ReadonlyArray<Node>,
  _r: Report
): Promise<void> => {}
