import { Fragment, type ReactNode } from "react"
import type { Verdict } from "./verdict.js"

const slugOf = (heading: string): string => heading.toLowerCase().replaceAll(" ", "-")

interface Props {
  readonly verdict: Verdict | undefined
  /** Where docs/troubleshooting.md is served; empty: nowhere. */
  readonly help: string
}

/** What is wrong and what to do. The headline alone is read aloud: figures change each second. */
export const Banner = ({ help, verdict }: Props): ReactNode => {
  if (verdict === undefined) return <p role="status" className="spm-unseen" />
  const { entry, figures, headline, steps, tone } = verdict
  const isFine = tone === "good"
  return (
    <div className={isFine ? undefined : `spm-banner spm-banner-${tone}`} data-testid="banner">
      <p key={tone} className={isFine ? "spm-unseen" : "spm-headline"} role={tone === "bad" ? "alert" : "status"}>
        {headline}
      </p>
      {figures.length === 0 ? null : <p className="spm-figures">{figures.join(" · ")}.</p>}
      {steps.length === 0 ? null : (
        <ul className="spm-steps" aria-label="What to do">
          {steps.map((step, index) => (
            <li key={step}>
              {step}
              {index === steps.length - 1 && entry !== undefined ? (
                <Fragment>
                  {" "}
                  <Entry name={entry} help={help} />
                </Fragment>
              ) : null}
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

const Entry = ({ help, name }: { readonly name: string; readonly help: string }): ReactNode =>
  help === "" ? (
    <span>More: docs/troubleshooting.md, “{name}”.</span>
  ) : (
    <a href={`${help}#${slugOf(name)}`} target="_blank" rel="noreferrer">
      More: {name}
    </a>
  )
