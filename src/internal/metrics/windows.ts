/**
 * The last minute, hour and day, sliding, in fixed memory.
 *
 * New observations go to one open cell. When its time is over, the cell is merged into the rings of the minute, the
 * hour and the day, once, so that an observation costs one addition and not three.
 */

/** The contents of one period. */
export interface Cell<C> {
  /** Number of the period since the epoch; negative while the cell is empty. */
  slot: number
  merge(other: C): void
  clear(): void
}

export type Window = "minute" | "hour" | "day"

interface Grain {
  /** Length of a cell, in ms. */
  readonly width: number
  readonly cells: number
}

const grains: Readonly<Record<Window, Grain>> = {
  minute: { width: 5_000, cells: 12 },
  hour: { width: 300_000, cells: 12 },
  day: { width: 3_600_000, cells: 24 }
}

/** The shortest period that is kept, in ms. */
export const finest = grains.minute.width

/** How far back a window looks, to the beginning of its oldest cell. */
export const beginningOf = (window: Window, now: number): number => {
  const { cells, width } = grains[window]
  return (Math.floor(now / width) - cells + 1) * width
}

class Ring<C extends Cell<C>> {
  private readonly cells: Array<C | undefined>
  private readonly grain: Grain
  private readonly make: () => C

  constructor(grain: Grain, make: () => C) {
    this.grain = grain
    this.make = make
    this.cells = Array.from({ length: grain.cells })
  }

  /** The cell of that time, emptied if it held another time. */
  at(time: number): C {
    const slot = Math.floor(time / this.grain.width)
    const index = slot % this.grain.cells
    const cell = this.cells[index] ?? this.make()
    this.cells[index] = cell
    if (cell.slot !== slot) {
      cell.clear()
      cell.slot = slot
    }
    return cell
  }

  /** The cell of that number, if there was anything. */
  of(slot: number): C | undefined {
    const cell = this.cells[slot % this.grain.cells]
    return cell?.slot === slot ? cell : undefined
  }

  mergeInto(sum: C, now: number): void {
    const current = Math.floor(now / this.grain.width)
    for (const cell of this.cells) {
      if (cell !== undefined && cell.slot <= current && cell.slot > current - this.grain.cells) sum.merge(cell)
    }
  }
}

export class Windows<C extends Cell<C>> {
  private readonly rings: Readonly<Record<Window, Ring<C>>>
  private readonly make: () => C
  private readonly open: C
  private closesAt = Number.NEGATIVE_INFINITY
  /** The time of the last observation. */
  lastUsed = 0

  constructor(make: () => C) {
    this.make = make
    this.rings = {
      minute: new Ring(grains.minute, make),
      hour: new Ring(grains.hour, make),
      day: new Ring(grains.day, make)
    }
    this.open = make()
  }

  /** The cell to add to. */
  at(now: number): C {
    if (this.isOver(now)) this.roll(now)
    this.lastUsed = now
    return this.open
  }

  /** Also true if the clock was set back to before it. */
  private isOver(now: number): boolean {
    return now >= this.closesAt || now < this.closesAt - grains.minute.width
  }

  private roll(now: number): void {
    const { width } = grains.minute
    this.close()
    this.open.clear()
    this.open.slot = Math.floor(now / width)
    this.closesAt = (this.open.slot + 1) * width
  }

  private close(): void {
    if (this.open.slot < 0) return
    const began = this.open.slot * grains.minute.width
    for (const ring of [this.rings.minute, this.rings.hour, this.rings.day]) ring.at(began).merge(this.open)
  }

  /** The last period of `finest` ms that is over; undefined if it was empty. */
  last(now: number): C | undefined {
    if (this.isOver(now)) this.roll(now)
    return this.rings.minute.of(Math.floor(now / finest) - 1)
  }

  /** A whole window, merged into a new cell. */
  sum(window: Window, now: number): C {
    if (this.isOver(now)) this.roll(now)
    const sum = this.make()
    this.rings[window].mergeInto(sum, now)
    sum.merge(this.open)
    return sum
  }
}
