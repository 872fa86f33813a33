"use server"

import { redirect } from "next/navigation"
import { executeWithPool } from "../../../lib/database"

export async function renameProduct(form: FormData): Promise<void> {
  // The write pool has every right: check the caller and the request first.
  const title = String(form.get("title") ?? "").trim()
  if (title === "") return
  await executeWithPool(
    async (client) => {
      const { error } = await client
        .from("products")
        .update({ title })
        .eq("id", String(form.get("id")))
      if (error) throw error
    },
    "write",
    { idempotent: true }
  )
  redirect("/")
}
