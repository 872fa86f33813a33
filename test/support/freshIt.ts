/**
 * `layer` of @effect/vitest 0.30 replaces `it.effect` and others for all that comes after it in the process, not for its
 * own block alone (`findings/effect-vitest-layer-stays.sh`). Test files that share a process begin with the first ones.
 */
import { effect, it, layer, prop, scoped } from "@effect/vitest"

Object.assign(it, { effect, layer, prop, scoped })
