declare module "pg-pool" {
  /** As much of it as is used here. */
  export default class PgPool<Client> {
    constructor(options: { readonly max: number; readonly idleTimeoutMillis: number }, client: new () => Client)
    connect(): Promise<Client & { readonly release: () => void }>
    end(): Promise<void>
  }
}
