import { QueryError } from "../../Errors.js"

/** What a program asks for and must not be sent; nothing was. */
export const invalidRequest = (reason: string, hint: string): QueryError =>
  new QueryError({ code: "INVALID_REQUEST", reason, details: "", hint, status: 0 })
