/** The package has no types of its own: as much of it as tests look at. */
declare module "parse-prometheus-text-format" {
  export interface Sample {
    readonly labels?: Readonly<Record<string, string>>
    readonly value?: string
  }
  export interface Family {
    readonly name: string
    readonly type: string
    readonly metrics: ReadonlyArray<Sample>
  }
  export default function parsePrometheusTextFormat(text: string): ReadonlyArray<Family>
}
