import { cacheLife } from "next/cache"
import { executeWithPool } from "../../lib/database"

async function allShops() {
  "use cache"
  cacheLife("hours")
  return await executeWithPool(async (client) => {
    const { data, error } = await client.from("shops").select("id, name").order("name")
    if (error) throw error
    return data
  })
}

export default async function Shops() {
  const shops = await allShops()
  return (
    <ul>
      {shops.map(({ id, name }) => (
        <li key={id}>{name}</li>
      ))}
    </ul>
  )
}
