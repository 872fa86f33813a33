/** Every variable that is read, in the order of the contract, shared by the parser, `--help` and the documentation. */
import * as Option from "effect/Option"
import { fields } from "./fields.js"
import type { PoolOptions, Variable } from "./model.js"
import { production } from "./presets.js"
import { defaults } from "./server.js"
import { publicKeyNames, urlNames } from "./supabase.js"

const ofOption = <K extends keyof PoolOptions>(option: K): Variable => ({
  name: fields[option].variable,
  option: Option.some(option),
  default: Option.some(fields[option].show(production[option])),
  meaning: fields[option].meaning,
  secret: fields[option].secret === true
})

const plain = (name: string, meaning: string, standard?: string): Variable => ({
  name,
  option: Option.none(),
  default: Option.fromNullable(standard),
  meaning,
  secret: false
})

const hidden = (name: string, meaning: string): Variable => ({ ...plain(name, meaning), secret: true })

const instead = (first: string): string => `read where ${first} is missing`

export const variables: ReadonlyArray<Variable> = [
  ofOption("minConnections"),
  ofOption("maxConnections"),
  ofOption("connectionTimeout"),
  ofOption("idleTimeout"),
  ofOption("maxRetries"),
  ofOption("retryDelay"),
  ofOption("retryJitter"),
  ofOption("requestTimeout"),
  ofOption("healthCheckInterval"),
  ofOption("leakDetectionTimeout"),
  ofOption("maxLifetime"),
  ofOption("keepaliveInterval"),
  ofOption("maxPending"),
  ofOption("adaptive"),
  ofOption("maxAnswer"),
  ofOption("compression"),
  ofOption("transport"),
  ofOption("proxy"),
  ofOption("ca"),
  ofOption("clientCert"),
  ofOption("clientKey"),
  ofOption("shutdownTimeout"),
  ofOption("enableMetrics"),
  ofOption("enableHealthChecks"),
  ofOption("noticeRounding"),
  plain("DB_POOL_LOAD", "low, medium, high or extreme: take that preset as the base"),
  plain("DB_POOL_CONFIG", "JSON object with the camelCase names (minConnections, …)"),
  ofOption("rateLimit"),
  ofOption("rateLimitWindow"),
  hidden("DB_POOL_ADMIN_TOKEN", "bearer token of the admin routes; unset: they answer 404"),
  hidden("DB_POOL_SLACK_WEBHOOK_URL", "where alerts are sent"),
  plain(urlNames[0], "the database's API address"),
  plain(urlNames[1], instead(urlNames[0])),
  hidden("SUPABASE_ANON_KEY", "the key that reads are made with"),
  hidden("SUPABASE_PUBLISHABLE_KEY", "read where it is set, before SUPABASE_ANON_KEY, the legacy key"),
  ...publicKeyNames.map((name) => hidden(name, instead("SUPABASE_ANON_KEY or SUPABASE_PUBLISHABLE_KEY"))),
  hidden("SUPABASE_SERVICE_ROLE_KEY", "the key that writes are made with"),
  hidden("SUPABASE_SECRET_KEY", "read where it is set, before SUPABASE_SERVICE_ROLE_KEY, the legacy key"),
  plain("PORT", "the server's port; 0 takes any free one", String(defaults.port)),
  plain("HOST", "the address the server listens on", defaults.host),
  plain("DB_POOL_ALLOWED_HOSTS", "names the server answers to beside its own, with commas between them"),
  plain("LOG_LEVEL", "debug logs every connection event", "info"),
  plain("NODE_ENV", "development takes the development preset as the base")
]

export const secretNames: ReadonlyArray<string> = variables.filter(({ secret }) => secret).map(({ name }) => name)
