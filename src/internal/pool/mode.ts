/** Which of the two pools, as `Errors.Mode` says it with a schema. */
export type Mode = "read" | "write"
