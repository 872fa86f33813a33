import { expect, jest, test } from "@jest/globals"
import { createDatabase } from "effect-supabase-pool/promise"

const notes = (client) => client.from("products").select("title")

test("a query is answered, also where Jest has replaced the timers", async () => {
  const db = createDatabase({ enableHealthChecks: false })
  expect((await db.executeWithPool(notes, "read")).success).toBe(true)
  jest.useFakeTimers()
  expect((await db.executeWithPool(notes, "read")).success).toBe(true)
  jest.useRealTimers()
  await db.close()
})
