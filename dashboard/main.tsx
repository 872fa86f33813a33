import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { Page } from "./page.js"
import { tokenOfAddress } from "./token.js"

const root = document.getElementById("root")
const token = tokenOfAddress()
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <Page token={token} />
    </StrictMode>
  )
}
