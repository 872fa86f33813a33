import { executeWithPool } from "../../lib/database"

// Made in `next build`, and again when somebody comes an hour later.
export const revalidate = 3600

export default async function Shops() {
  const shops = await executeWithPool(async (client) => {
    const { data, error } = await client.from("shops").select("id, name").order("name")
    if (error) throw error
    return data
  })
  return (
    <ul>
      {shops.map(({ id, name }) => (
        <li key={id}>{name}</li>
      ))}
    </ul>
  )
}
