/** How long things may take here: so short that all of them happen within minutes. */
export const workers = 40
export const requestTimeout = 1_000
export const connectionTimeout = 2_000
export const maxRetries = 3
/** All that an operation may take: waiting for a connection, each attempt, each delay; and the machine being busy. */
export const longest = connectionTimeout + (maxRetries + 1) * requestTimeout + 3 * 400 + 5_000
