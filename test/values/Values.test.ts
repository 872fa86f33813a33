/** Values of PostgreSQL go through tables, reads, writes and transactions as they are, or are refused by name. */
import { assert, describe, expect, it } from "@effect/vitest"
import { BigDecimal, DateTime, Duration, Effect, Either, Exit, FastCheck as fc, Layer, Logger, Schema } from "effect"
import * as Db from "../../src/Db.js"
import { isRounded, roundedNames, withDigits } from "../../src/internal/values/digits.js"
import * as Values from "../../src/Values.js"
import { miniPostgrest } from "../support/miniPostgrest.js"
import { describePostgres, PostgresUrl } from "../support/postgres.js"

const decimal = BigDecimal.unsafeFromString

describe("text that is read", () => {
  const read: ReadonlyArray<
    readonly [name: string, schema: Schema.Schema.AnyNoContext, text: unknown, back?: unknown]
  > = [
    ["Numeric", Values.Numeric, "12345678901234567890.12345678901234567890"],
    ["Numeric", Values.Numeric, "-0.50"],
    ["Numeric", Values.Numeric, "0.00"],
    ["Numeric", Values.Numeric, "1e3", "1000"],
    ["Numeric", Values.Numeric, 12.5, "12.5"],
    ["Int8", Values.Int8, "9223372036854775807"],
    ["Int8", Values.Int8, -7, "-7"],
    ["Digits", Values.Digits, "NaN"],
    ["Digits", Values.Digits, "-0.10"],
    ["Timestamptz", Values.Timestamptz, "2025-09-18T10:00:00.123456+00:00", "2025-09-18T10:00:00.123456Z"],
    ["Timestamptz", Values.Timestamptz, "2025-09-18 10:00:00.1+05:30", "2025-09-18T04:30:00.100Z"],
    ["Timestamptz of old", Values.Timestamptz, "1850-01-01T00:00:00+00:53:28", "1849-12-31T23:06:32.000Z"],
    ["Timestamp", Values.Timestamp, "2025-09-18T10:00:00.123456", "2025-09-18T10:00:00.123456"],
    ["Timestamp", Values.Timestamp, "0099-03-01T00:00:00", "0099-03-01T00:00:00.000"],
    ["Instant", Values.Instant, "2025-09-18T10:00:00.123456+02:00"],
    ["Instant", Values.Instant, "infinity"],
    ["Instant", Values.Instant, "0044-03-15T00:00:00+00:00 BC"],
    ["LocalDateTime", Values.LocalDateTime, "2025-03-30T02:30:00.000001"],
    ["LocalDate", Values.LocalDate, "2024-02-29"],
    ["Interval", Values.Interval, "1 day 02:03:04.5", "93784.500000 seconds"],
    ["Interval", Values.Interval, "00:00:00.000001", "0.000001 seconds"],
    ["Bytea", Values.Bytea, "\\x00ff10"],
    ["Bytea", Values.Bytea, "\\x"],
    ["Vector", Values.Vector, "[1,2.5,-3]"],
    ["Range", Values.Range(Schema.NumberFromString), "[1,10)", '["1","10")'],
    ["Range", Values.Range(Schema.NumberFromString), "(,5]", '(,"5"]'],
    ["Range", Values.Range(Schema.String), '["a ""b\\\\",)', '["a \\"b\\\\",)'],
    ["Range", Values.Range(Schema.String), "empty"],
    ["Range", Values.Range(Values.Numeric), "[1.50,2]", '["1.50","2"]']
  ]
  it("is written as the same value", () => {
    for (const [name, schema, text, back = text] of read) {
      const value = Schema.decodeUnknownSync(schema)(text)
      expect([name, Schema.encodeUnknownSync(schema)(value)]).toEqual([name, back])
    }
  })

  const refused: ReadonlyArray<
    readonly [name: string, schema: Schema.Schema.AnyNoContext, text: unknown, words: string]
  > = [
    ["Numeric", Values.Numeric, "NaN", "Values.Digits"],
    ["Numeric", Values.Numeric, "", "expected a numeric"],
    ["Numeric", Values.Numeric, 2 ** 70, "may have been rounded"],
    ["Numeric", Values.Numeric, 0.1234567890123456, "may have been rounded"],
    ["Int8", Values.Int8, 2 ** 53, "may have been rounded"],
    ["Int8", Values.Int8, "1.5", "whole number"],
    ["Digits", Values.Digits, "a", "digits"],
    ["Timestamptz", Values.Timestamptz, "2025-09-18T10:00:00", "names no offset"],
    ["Timestamptz", Values.Timestamptz, "infinity", "Values.Instant"],
    ["Timestamptz", Values.Timestamptz, "2025-02-30T10:00:00Z", "no time"],
    ["Timestamp", Values.Timestamp, "2025-09-18T10:00:00Z", "names an offset"],
    ["Instant", Values.Instant, "2025-09-18T10:00:00", "names no offset"],
    ["LocalDateTime", Values.LocalDateTime, "2025-09-18T10:00:00+00", "names an offset"],
    ["LocalDate", Values.LocalDate, "2025-02-29", "is no date"],
    ["Interval", Values.Interval, "1 mon", "no length of time"],
    ["Interval", Values.Interval, "-00:00:01", "no length of time"],
    ["Interval", Values.Interval, "", "no length of time"],
    ["Bytea", Values.Bytea, "aGk=", "expected bytes"],
    ["Vector", Values.Vector, "[1,x]", ""],
    ["Range", Values.Range(Schema.NumberFromString), "[1;2)", "expected a range"],
    ["Range", Values.Range(Schema.NumberFromString), "[a,2)", ""]
  ]
  it("is refused with what to do", () => {
    for (const [name, schema, text, words] of refused) {
      const found = Schema.decodeUnknownEither(schema)(text)
      expect([name, Either.isLeft(found) && found.left.message]).toEqual([name, expect.stringContaining(words)])
    }
  })
})

describe("numbers in JSON", () => {
  const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 25 }).map((all) => all.join(""))
  const number = fc
    .tuple(
      fc.constantFrom("", "-"),
      digits.map((text) => text.replace(/^0+(?=\d)/, "")),
      fc.option(digits),
      fc.option(fc.integer({ min: -400, max: 400 }))
    )
    .map(
      ([sign, whole, rest, power]) =>
        `${sign}${whole}${rest === null ? "" : `.${rest}`}${power === null ? "" : `e${power}`}`
    )

  it("that a double holds are left alone, and all others keep their digits", () => {
    fc.assert(
      fc.property(number, (text) => {
        const held = BigDecimal.fromString(String(Number(text)))
        const meant = decimal(text)
        const isSame = held._tag === "Some" && BigDecimal.equals(held.value, meant)
        assert.strictEqual(isRounded(text), !isSame)
        const json = JSON.parse(withDigits(`{"a":${text},"b":[${text}]}`))
        assert.deepStrictEqual(json, isSame ? { a: Number(text), b: [Number(text)] } : { a: text, b: [text] })
      })
    )
  })

  it("in texts and names are no numbers", () => {
    fc.assert(
      fc.property(fc.json(), fc.string(), (json, text) => {
        const long = JSON.stringify({ [`${text}12345678901234567890`]: `\\"${text}:12345678901234567890` })
        assert.deepStrictEqual(JSON.parse(withDigits(long)), JSON.parse(long))
        assert.deepStrictEqual(JSON.parse(withDigits(json)), JSON.parse(json))
      })
    )
    assert.deepStrictEqual(
      [
        ...roundedNames(
          '[{"id":9007199254740993,"n":1.5,"t":"9007199254740993","deep":{"xs":[1,0.12345678901234567890]}}]'
        )
      ],
      ["id", "xs"]
    )
  })
})

const setUp = `
  create table if not exists kept (
    id bigint primary key,
    amount numeric,
    serial bigint,
    utc timestamp,
    at timestamptz,
    seen timestamptz,
    took interval,
    body bytea,
    during tstzrange,
    prices numeric[],
    data jsonb
  );
  truncate kept;
`

const Kept = Schema.Struct({
  id: Values.Int8,
  amount: Schema.NullOr(Values.Numeric),
  serial: Values.Int8,
  utc: Values.Timestamp,
  at: Values.Timestamptz,
  seen: Schema.Date,
  took: Schema.OptionFromNullOr(Values.Interval),
  body: Values.Bytea,
  during: Values.Range(Values.Timestamptz),
  prices: Schema.Array(Values.Numeric),
  data: Schema.Struct({ total: Values.Numeric })
})

const kept = Db.table("kept", Kept)

const stored = `
  insert into kept values (
    9223372036854775807, 12345678901234567890.123456789, 9007199254740993, '2025-09-18 10:00:00.123456',
    '2025-09-18 10:00:00.123456+00', '2025-09-18 10:00:00.654321+00', '26:00:00.5', '\\x00ff',
    '[2025-01-01 00:00:00.000001+00,)', '{0.12345678901234567890,1}', '{"total": 9007199254740993}'
  )
`

const onPostgres = <A, E>(
  test: (postgrest: Effect.Effect.Success<ReturnType<typeof miniPostgrest>>) => Effect.Effect<A, E, Db.Db | Db.ReadDb>
) =>
  Effect.gen(function* () {
    const postgrest = yield* miniPostgrest(setUp)
    yield* Effect.promise(() => postgrest.sql.unsafe(stored))
    return yield* Effect.provide(test(postgrest), postgrest.layer)
  }).pipe(Effect.provide(PostgresUrl.Live))

describePostgres("over a real PostgreSQL", () => {
  it.scopedLive("a row keeps every digit and microsecond by each way that reads and writes it", () =>
    onPostgres(({ sql }) =>
      Effect.gen(function* () {
        const whole = Effect.promise(() =>
          sql
            .unsafe(
              "select row(id, amount, serial, utc, at, seen, took, body, during, prices)::text as it from kept order by id"
            )
            .then((rows) => rows.map(({ it }) => it))
        )
        const [before] = yield* whole
        const id = 9223372036854775807n
        const row = yield* kept.get(id)
        expect(row.amount).toEqual(decimal("12345678901234567890.123456789"))
        expect(row.serial).toBe(9007199254740993n)
        expect(row.prices).toEqual([decimal("0.12345678901234567890"), decimal("1")])
        expect(row.data.total).toEqual(decimal("9007199254740993"))
        expect(DateTime.formatIso(row.utc)).toBe("2025-09-18T10:00:00.123Z")
        expect([...row.body]).toEqual([0, 255])
        // Each way gives the same row, and writes it back as it is.
        const found = [
          ...(yield* kept.list()),
          ...(yield* kept.getMany([id])),
          ...(yield* Db.transaction([kept.getStep(id)])),
          yield* kept.update(id, row),
          ...(yield* Db.transaction([kept.updateStep(id, row)])),
          yield* kept.upsert(row)
        ]
        for (const each of found) expect(each).toEqual(row)
        expect(yield* whole).toEqual([before])
        const copy = yield* kept.create({ ...row, id: 1n })
        expect(copy).toEqual({ ...row, id: 1n })
        yield* Db.transaction([kept.createStep({ ...row, id: 2n })])
        yield* kept.updateMany({ id: [1n, 2n] }, { serial: row.serial })
        const same = yield* Effect.promise(() =>
          sql.unsafe(
            "select count(distinct (kept.*)::text) as n, count(distinct row(amount, serial, utc, at, seen, took, body, during, prices, data)::text) as same from kept"
          )
        )
        expect(same.map(({ n, same }) => [n, same])).toEqual([["3", "1"]])
      })
    )
  )

  it.scopedLive("a row is found again by each of its values", () =>
    onPostgres(() =>
      Effect.gen(function* () {
        const row = yield* kept.get(9223372036854775807n)
        const { amount, at, body, seen, serial, took, utc } = row
        for (const where of [{ amount }, { serial }, { utc }, { at }, { seen }, { took }, { body }]) {
          expect(yield* kept.list({ where })).toHaveLength(1)
          expect(yield* kept.count({ where })).toBe(1)
          expect(yield* Db.transaction([kept.listStep({ where })])).toMatchObject([[{}]])
        }
        for (const where of [
          { at: Db.gt(at) },
          { seen: Db.gt(seen) },
          { utc: Db.gt(utc) },
          { serial: Db.gt(serial) }
        ]) {
          expect(yield* kept.list({ where })).toHaveLength(0)
        }
        // An optimistic lock, held against the time that was read.
        const step = kept.updateStep(row.id, { serial: 1n }, { expect: { seen, at, utc } })
        expect(Exit.isSuccess(yield* Effect.exit(Db.transaction([step])))).toBe(true)
        const changed = new Date(seen)
        const stale = kept.updateStep(row.id, { serial: 2n }, { expect: { seen: changed } })
        expect(yield* Effect.flip(Db.transaction([stale]))).toMatchObject({ _tag: "GuardFailed", column: "seen" })
        // A Date that was set to another time is that time.
        seen.setUTCHours(0)
        expect(yield* kept.list({ where: { seen } })).toHaveLength(0)
      })
    )
  )

  it.scopedLive("a range is found by what it has, by what it is within and by what it meets", () =>
    onPostgres(() =>
      Effect.gen(function* () {
        const id = 9223372036854775807n
        const { during } = yield* kept.get(id)
        assert(during !== "empty" && during.lower !== null)
        // It begins a microsecond after the year did.
        const year = { lower: DateTime.unsafeMake("2025-01-01"), upper: null, bounds: "[)" } as const
        const later = { lower: during.lower, upper: DateTime.unsafeMake("2026-01-01"), bounds: "[]" } as const
        const before = { lower: null, upper: year.lower, bounds: "(]" } as const
        type Condition = NonNullable<NonNullable<Parameters<typeof kept.list>[0]>["where"]>
        const asked: ReadonlyArray<readonly [where: Condition, finds: number]> = [
          [{ during: Db.contains(later) }, 1],
          [{ during: Db.contains(year) }, 0],
          [{ during: Db.containedBy(year) }, 1],
          [{ during: Db.containedBy(later) }, 0],
          [{ during: Db.overlaps(later) }, 1],
          [{ during: Db.overlaps(before) }, 0],
          [{ during: Db.not(Db.overlaps(before)) }, 1],
          [{ during: Db.or(Db.overlaps(before), Db.contains(later)) }, 1]
        ]
        for (const [where, finds] of asked) {
          expect(yield* kept.list({ where })).toHaveLength(finds)
          expect(yield* Db.transaction([kept.listStep({ where })])).toMatchObject([{ length: finds }])
        }
      })
    )
  )

  it.scopedLive("pages by time neither repeat nor miss a row", () =>
    onPostgres(({ sql }) =>
      Effect.gen(function* () {
        yield* Effect.promise(() =>
          sql.unsafe(
            "insert into kept (id, serial, utc, at, seen, body, during, prices, data) select n, n, '2026-01-01'::timestamp + n * interval '1 microsecond', '2026-01-01'::timestamptz + n * interval '1 microsecond', now(), '', 'empty', '{}', '{\"total\": 1}' from generate_series(1, 30) n"
          )
        )
        for (const column of ["utc", "at"] as const) {
          const seen: Array<bigint> = []
          let last: DateTime.Utc | undefined
          while (seen.length <= 40) {
            const where = last === undefined ? {} : { [column]: Db.gt(last) }
            const rows = yield* kept.list({ where, orderBy: column, limit: 7 })
            for (const { id } of rows) seen.push(id)
            last = rows.at(-1)?.[column]
            if (rows.length === 0) break
          }
          expect(seen).toEqual([9223372036854775807n, ...Array.from({ length: 30 }, (_, n) => BigInt(n + 1))])
        }
      })
    )
  )

  it.scopedLive(
    "a builder's numbers come as texts where they would be rounded and exact is said, by every operation",
    () =>
      onPostgres(() =>
        Effect.gen(function* () {
          const exact = { exact: true } as const
          const one = { serial: "9007199254740993", prices: ["0.12345678901234567890", 1] }
          const asked = (client: Parameters<Parameters<typeof Db.read>[0]>[0]) =>
            client.from("kept").select("serial, prices")
          expect(yield* Db.read(asked, exact)).toEqual([one])
          expect((yield* Db.response(asked, exact)).data).toEqual([one])
          expect(
            yield* Db.write(
              (client) => client.from("kept").update({ took: null }).gt("id", 0).select("serial, prices"),
              exact
            )
          ).toEqual([one])
          expect(yield* Db.transaction([asked], exact)).toEqual([[one]])
          const rounded = [{ serial: 9007199254740992, prices: [0.12345678901234568, 1] }]
          expect(yield* Db.read(asked)).toEqual(rounded)
          expect(yield* Db.transaction([asked])).toEqual([rounded])
          const As = Schema.Array(Schema.Struct({ serial: Values.Int8, prices: Schema.Array(Values.Numeric) }))
          expect(yield* Db.readAs(As, asked)).toMatchObject([{ serial: 9007199254740993n }])
        })
      )
  )
})

describe("what JavaScript rounds", () => {
  const rows = '[{"id":1,"serial":9007199254740993}]'

  it.effect.each([
    [true, ["numbers.serial"]],
    [false, []]
  ] as const)("is said once for each column where noticeRounding is %s", ([noticeRounding, names]) =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const heard = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void logged.push(String(message)))
      )
      const layer = Db.layerTest(() => new Response(rows, { headers: { "content-type": "application/json" } }), {
        noticeRounding
      })
      const read = Db.read((client) => client.from("numbers").select("id, serial"))
      const given = yield* read.pipe(Effect.repeatN(2), Effect.provide(Layer.merge(layer, heard)))
      expect(given).toEqual([{ id: 1, serial: 9007199254740992 }])
      expect(logged.map((text) => text.split(":", 1)[0])).toEqual(names)
    })
  )

  it.effect("is refused by a schema of Values, whoever asks, and comes whole where it is asked for", () =>
    Effect.gen(function* () {
      const layer = Db.layerTest(() => new Response(rows, { headers: { "content-type": "application/json" } }))
      const As = Schema.Array(Schema.Struct({ id: Values.Int8, serial: Values.Int8 }))
      yield* Effect.gen(function* () {
        const asked = (options?: { readonly exact: boolean }) =>
          Db.readAs(As, (client) => client.from("numbers").select("id, serial"), options)
        expect(yield* asked()).toEqual([{ id: 1n, serial: 9007199254740993n }])
        expect(yield* Effect.flip(asked({ exact: false }))).toMatchObject({ _tag: "DecodeError", path: "0.serial" })
        for (const get of [true, false]) {
          expect(yield* Db.rpcAs(As, "numbers", {}, get ? { get } : {})).toMatchObject([{ serial: 9007199254740993n }])
          expect(yield* Db.rpc("numbers", {}, get ? { get, exact: true } : { exact: true })).toEqual([
            { id: 1, serial: "9007199254740993" }
          ])
        }
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("is nobody's instant either: Db.readAs refuses a date without an offset", () =>
    Effect.gen(function* () {
      const layer = Db.layerTest(() => Response.json([{ at: "2025-09-18T10:00:00" }]))
      const read = Db.readAs(Schema.Array(Schema.Struct({ at: Schema.Date })), (client) =>
        client.from("t").select("at")
      )
      const error = yield* Effect.flip(Effect.provide(read, layer))
      expect(error).toMatchObject({ _tag: "DecodeError", path: "0.at", table: "t" })
      expect(error.message).toContain("Values.Timestamp")
      assert.strictEqual(Duration.toMillis(Schema.decodeUnknownSync(Values.Interval)("00:01:00")), 60_000)
    })
  )
})
