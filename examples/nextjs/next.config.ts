import type { NextConfig } from "next"

const nextConfig: NextConfig = {
  // As create-next-app writes them.
  cacheComponents: true,
  partialPrefetching: true,
  // The dashboard asks its own origin; a server of the pool's routes answers (`npx supabase-pool serve`).
  rewrites: async () => [
    { source: "/api/health/:path*", destination: "http://127.0.0.1:3001/api/health/:path*" },
    { source: "/api/admin/database/:path*", destination: "http://127.0.0.1:3001/api/admin/database/:path*" }
  ]
}

export default nextConfig
