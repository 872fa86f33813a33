import { type ReactNode, useEffect, useMemo, useRef, useState } from "react"
import uPlot from "uplot"
import * as format from "../feed/format.js"
import type * as Wire from "../feed/wire.js"
import type { Band, Mark } from "./marks.js"
import { paintAbove, paintBelow, type Scene } from "./paint.js"
import { type ChartSpec, type Colour, describe, type Line, range, table } from "./series.js"

const colourOf = (element: Element, name: string): string =>
  getComputedStyle(element).getPropertyValue(`--spm-${name}`).trim()

/** Stacked series are drawn from the top down, so that each area covers the ones below it. */
const order = (lines: ReadonlyArray<Line>): ReadonlyArray<number> => {
  const indices = lines.map((_, index) => index)
  const isStacked = (index: number): boolean => lines[index]?.stacked === true
  return [...indices.filter(isStacked).reverse(), ...indices.filter((index) => !isStacked(index))]
}

const seriesOf = (line: Line, root: Element): uPlot.Series => {
  const stroke = colourOf(root, line.colour)
  const series: uPlot.Series = {
    label: line.label,
    stroke,
    width: line.stacked === true ? 1 : 1.75,
    spanGaps: false,
    points: { show: false }
  }
  if (line.dashed === true) series.dash = [4, 4]
  if (line.stacked === true) series.fill = colourOf(root, `${line.colour}-area`)
  if (line.filled === true) series.fill = `${stroke}22`
  return series
}

/** Shows seconds only if two marks would look the same without them. */
const marks = (at: ReadonlyArray<number>, step: number): Array<string> =>
  at.map((time) => format.clock(time * 1_000).slice(0, step < 60 ? 8 : 5))

const optionsOf = (
  spec: ChartSpec,
  root: HTMLElement,
  width: number,
  show: (index: number | null) => void,
  scene: { readonly current: Scene }
): uPlot.Options => {
  const colours = (name: string): string => colourOf(root, name)
  const { place, ticks } = spec
  const places = ticks === undefined || place === undefined ? undefined : ticks.map(place)
  const axis = { stroke: colourOf(root, "muted"), font: "11px system-ui, sans-serif" }
  const grid = { stroke: colourOf(root, "grid"), width: 1 }
  return {
    width,
    height: 148,
    legend: { show: false },
    // Room on the right for half of the label at the edge.
    padding: [8, 26, 0, 0],
    cursor: {
      sync: { key: "supabase-pool" },
      drag: { x: false, y: false },
      y: false,
      points: { size: 6 }
    },
    scales: {
      x: { time: true, range: (_, min, max) => range(min, max) },
      y: { range: (_, __, max) => [0, Math.max(spec.atLeast, max * 1.08)] }
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        ticks: { show: false },
        space: 56,
        size: 24,
        values: (_, at, __, ___, step) => marks(at, step)
      },
      {
        ...axis,
        grid,
        ticks: { show: false },
        space: 30,
        size: 52,
        gap: 6,
        ...(places === undefined ? {} : { splits: () => places }),
        values: (_, at) => at.map((mark) => spec.unit(ticks?.[places?.indexOf(mark) ?? -1] ?? mark))
      }
    ],
    series: [
      {},
      ...order(spec.lines)
        .flatMap((index) => spec.lines[index] ?? [])
        .map((line) => seriesOf(line, root))
    ],
    hooks: {
      setCursor: [(plot) => show(plot.cursor.idx ?? null)],
      drawAxes: [(plot) => paintBelow(plot, spec, scene.current, colours)],
      draw: [(plot) => paintAbove(plot, scene.current, colours)]
    }
  }
}

interface Props {
  readonly spec: ChartSpec
  readonly samples: ReadonlyArray<Wire.Sample>
  readonly marks: ReadonlyArray<Mark>
  readonly bands: ReadonlyArray<Band>
  readonly picked: number | undefined
  readonly onPick: (at: number) => void
}

export const Chart = ({ bands, marks, onPick, picked, samples, spec }: Props): ReactNode => {
  const frame = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const [hovered, setHovered] = useState<number | null>(null)
  const data = useMemo(() => table(samples, spec), [samples, spec])
  const aligned = useMemo(
    (): uPlot.AlignedData => [
      data.times,
      ...order(spec.lines).flatMap((index) => (data.drawn[index] ? [data.drawn[index]] : []))
    ],
    [data, spec]
  )
  const newest = useRef(aligned)
  newest.current = aligned
  const scene = useRef<Scene>({ bands, marks, picked, samples })
  scene.current = { bands, marks, picked, samples }
  const pick = useRef(onPick)
  pick.current = onPick

  useEffect(() => {
    const root = frame.current
    if (root === null) return
    const drawing = new uPlot(optionsOf(spec, root, root.clientWidth || 300, setHovered, scene), newest.current, root)
    plot.current = drawing
    drawing.over.addEventListener("click", () => {
      const at = drawing.data[0][drawing.cursor.idx ?? -1]
      if (at !== undefined) pick.current(at * 1_000)
    })
    const observer = new ResizeObserver(() => drawing.setSize({ width: root.clientWidth, height: drawing.height }))
    observer.observe(root)
    return () => {
      observer.disconnect()
      drawing.destroy()
      plot.current = null
    }
  }, [spec])

  useEffect(() => plot.current?.setData(aligned), [aligned])
  useEffect(() => {
    if (picked !== undefined || bands.length > 0) plot.current?.redraw(false)
  }, [picked, bands])

  const shown = hovered === null || hovered >= data.times.length ? data.times.length - 1 : hovered
  return (
    <figure className="spm-card spm-chart">
      <figcaption>
        <span className="spm-chart-title">{spec.title}</span>
        <Legend spec={spec} shownOf={(index) => data.values[index]?.[shown] ?? null} />
      </figcaption>
      <div ref={frame} className="spm-plot" role="img" aria-label={describe(spec, data)} />
    </figure>
  )
}

const Legend = ({
  spec,
  shownOf
}: {
  readonly spec: ChartSpec
  readonly shownOf: (index: number) => number | null
}) => (
  <ul className="spm-legend">
    {spec.lines.map(({ colour, dashed, label }, index) => (
      <li key={label}>
        <Swatch colour={colour} dashed={dashed === true} />
        {label} <b>{spec.unit(shownOf(index))}</b>
      </li>
    ))}
  </ul>
)

const Swatch = ({ colour, dashed }: { readonly colour: Colour; readonly dashed: boolean }) => (
  <span className={`spm-swatch spm-swatch-${colour}${dashed ? " spm-dashed" : ""}`} aria-hidden="true" />
)
