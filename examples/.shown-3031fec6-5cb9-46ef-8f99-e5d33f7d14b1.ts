import { gte, table } from "effect-supabase-pool/promise"
import { z } from "zod"

const Product = z.object({ id: z.uuid(), title: z.string(), price: z.number(), created_at: z.coerce.date() })

const products = table("products", {
  schema: Product,
  columns: ["id", "title", "price", "created_at"],
  search: ["title"]
})

const dear = await products.page({
  where: { price: gte(500) },
  orderBy: { column: "price", descending: true },
  limit: 3
})
const [first] = dear.rows
console.log(dear.rows.length, dear.total > 3, first !== undefined && first.created_at instanceof Date)

const same = await products.getMany(dear.rows.map(({ id }) => id))
console.log(same.length, (await products.find("00000000-0000-4000-8000-000000000000")) === undefined)
