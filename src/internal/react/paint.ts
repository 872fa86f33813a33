/** What a chart draws below and above its lines: bad times, the heat of durations, what happened, and the moment that is picked. */
import type uPlot from "uplot"
import type * as Wire from "../feed/wire.js"
import type { Band, Mark } from "./marks.js"
import { type ChartSpec, cellOf } from "./series.js"

/** What may change between two drawings. */
export interface Scene {
  readonly samples: ReadonlyArray<Wire.Sample>
  readonly marks: ReadonlyArray<Mark>
  readonly bands: ReadonlyArray<Band>
  readonly picked: number | undefined
}

/** By the names of the style. */
export type ColourOf = (name: string) => string

const xOf = (plot: uPlot, at: number): number => plot.valToPos(at / 1_000, "x", true)

/** Within the drawing, whatever is drawn. */
const clipped = (plot: uPlot, draw: (ctx: CanvasRenderingContext2D) => void): void => {
  const { bbox, ctx } = plot
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
  draw(ctx)
  ctx.restore()
}

const paintBands = (plot: uPlot, ctx: CanvasRenderingContext2D, bands: ReadonlyArray<Band>, colour: string): void => {
  ctx.fillStyle = colour
  for (const { from, to } of bands) {
    const left = xOf(plot, from)
    ctx.fillRect(left, plot.bbox.top, Math.max(1, xOf(plot, to) - left), plot.bbox.height)
  }
}

/** A cell is as dark as it has operations, beside the busiest one; few are still seen. */
const paintHeat = (plot: uPlot, ctx: CanvasRenderingContext2D, spec: ChartSpec, scene: Scene, colour: string): void => {
  const { heat } = spec
  if (heat === undefined) return
  const most = Math.max(1, ...scene.samples.flatMap((sample) => heat(sample).map(([, count]) => count)))
  ctx.fillStyle = colour
  for (const [index, sample] of scene.samples.entries()) {
    const right = xOf(plot, sample.at)
    const left = Math.max(xOf(plot, scene.samples[index - 1]?.at ?? sample.at - 1_000), xOf(plot, sample.at - 2_000))
    for (const [step, count] of heat(sample)) {
      const [from, to] = cellOf(step)
      const top = plot.valToPos(to, "y", true)
      ctx.globalAlpha = 0.18 + 0.72 * Math.sqrt(count / most)
      ctx.fillRect(left, top, Math.max(1, right - left), plot.valToPos(from, "y", true) - top)
    }
  }
  ctx.globalAlpha = 1
}

/** Below the lines. */
export const paintBelow = (plot: uPlot, spec: ChartSpec, scene: Scene, colourOf: ColourOf): void =>
  clipped(plot, (ctx) => {
    paintBands(plot, ctx, scene.bands, colourOf("bad-tint"))
    paintHeat(plot, ctx, spec, scene, colourOf("active"))
  })

const upright = (plot: uPlot, ctx: CanvasRenderingContext2D, x: number, dash: Array<number>): void => {
  ctx.setLineDash(dash)
  ctx.beginPath()
  ctx.moveTo(x, plot.bbox.top)
  ctx.lineTo(x, plot.bbox.top + plot.bbox.height)
  ctx.stroke()
}

/** A name that would cover the one before it is left out; its line is there. */
const paintMarks = (plot: uPlot, ctx: CanvasRenderingContext2D, { marks }: Scene, colourOf: ColourOf): void => {
  const pixel = devicePixelRatio
  ctx.font = `${10 * pixel}px system-ui, sans-serif`
  ctx.textBaseline = "top"
  ctx.textAlign = "left"
  let free = Number.NEGATIVE_INFINITY
  for (const { at, name, tone } of marks) {
    const x = xOf(plot, at)
    ctx.strokeStyle = colourOf(tone)
    ctx.fillStyle = colourOf(tone)
    ctx.lineWidth = pixel
    upright(plot, ctx, x, [3 * pixel, 3 * pixel])
    if (x < free) continue
    const { width } = ctx.measureText(name)
    const isAtEdge = x + width + 6 * pixel > plot.bbox.left + plot.bbox.width
    ctx.fillText(name, isAtEdge ? x - width - 3 * pixel : x + 3 * pixel, plot.bbox.top + 2 * pixel)
    free = x + width + 8 * pixel
  }
}

/** Above the lines. */
export const paintAbove = (plot: uPlot, scene: Scene, colourOf: ColourOf): void =>
  clipped(plot, (ctx) => {
    paintMarks(plot, ctx, scene, colourOf)
    if (scene.picked === undefined) return
    ctx.strokeStyle = colourOf("text")
    ctx.lineWidth = 1.5 * devicePixelRatio
    upright(plot, ctx, xOf(plot, scene.picked), [])
  })
