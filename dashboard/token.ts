/**
 * The admin token comes in the fragment of the address, which browsers send to nobody; it is taken out of the address bar
 * at once and kept for as long as the tab is open.
 */
const key = "effect-supabase-pool/token"

export const keep = (token: string): void => sessionStorage.setItem(key, token)

export const tokenOfAddress = (): string | undefined => {
  const given = new URLSearchParams(location.hash.slice(1)).get("token")
  if (given !== null) {
    history.replaceState(null, "", location.pathname + location.search)
    if (given !== "") keep(given)
  }
  return sessionStorage.getItem(key) ?? undefined
}
