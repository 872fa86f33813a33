/** What a browser sends that has signed in by `@supabase/ssr`. */

const day = "2026-01-01T00:00:00Z"

export const sessionCookie = (
  url: string,
  id: string,
  accessToken: string
): { readonly name: string; readonly value: string } => {
  const session = {
    access_token: accessToken,
    refresh_token: `refresh-${id}`,
    token_type: "bearer",
    expires_in: 3_600,
    expires_at: Math.floor(Date.now() / 1_000) + 3_600,
    user: { id, aud: "authenticated", app_metadata: {}, user_metadata: {}, created_at: day }
  }
  return {
    name: `sb-${new URL(url).hostname.split(".")[0]}-auth-token`,
    value: `base64-${Buffer.from(JSON.stringify(session)).toString("base64url")}`
  }
}
