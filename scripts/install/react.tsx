import { DatabasePoolMonitor } from "effect-supabase-pool/react"
import { renderToString } from "react-dom/server"

console.log(`react: ${renderToString(<DatabasePoolMonitor url="http://127.0.0.1:3000" />)}`)
