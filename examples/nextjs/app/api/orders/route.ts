import { withAccessToken } from "../../../lib/database"

/** For a client that sends its user's access token itself, such as an app on a phone. */
export async function GET(request: Request): Promise<Response> {
  const token = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1]
  if (token === undefined) return Response.json({ error: "Sign in first." }, { status: 401 })
  const orders = withAccessToken(token).table("orders", { columns: ["id", "total"] })
  return Response.json(await orders.list())
}
