import { QueryError } from "../../Errors.js"

/** The error for a request that must not be sent; nothing was sent. */
export const invalidRequest = (reason: string, hint: string): QueryError =>
  new QueryError({ code: "INVALID_REQUEST", reason, details: "", hint, status: 0 })
