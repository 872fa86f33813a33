import * as Schema from "effect/Schema"
import { literal } from "./sqlText.js"

const Named = Schema.Struct({ schema: Schema.String, name: Schema.String })

const Column = Schema.Struct({
  name: Schema.String,
  type: Schema.String,
  /** What the type is underneath, without its length: `jsonb`, `tsvector`. */
  base: Schema.String,
  /** SQL that makes the value of a column that is not given. */
  byDefault: Schema.NullOr(Schema.String)
})

const Relation = Schema.Struct({
  ...Named.fields,
  view: Schema.Boolean,
  columns: Schema.Array(Column),
  key: Schema.Array(Schema.String)
})

const ForeignKey = Schema.Struct({
  name: Schema.String,
  from: Named,
  columns: Schema.Array(Schema.String),
  to: Named,
  toColumns: Schema.Array(Schema.String),
  /** One row at most on the side that has it. */
  unique: Schema.Boolean,
  /** Its columns belong to the primary key. */
  inKey: Schema.Boolean
})

const Routine = Schema.Struct({
  ...Named.fields,
  parameters: Schema.Array(
    Schema.Struct({ name: Schema.String, type: Schema.String, base: Schema.String, required: Schema.Boolean })
  ),
  variadic: Schema.Boolean,
  set: Schema.Boolean,
  single: Schema.Boolean,
  nothing: Schema.Boolean,
  composite: Schema.Boolean,
  volatile: Schema.Boolean,
  /** The relation whose rows it gives. */
  relation: Schema.NullOr(Named)
})

const Catalog = Schema.Struct({
  relations: Schema.Array(Relation),
  foreignKeys: Schema.Array(ForeignKey),
  routines: Schema.Array(Routine)
})

export type Relation = typeof Relation.Type
export type ForeignKey = typeof ForeignKey.Type
export type Routine = typeof Routine.Type
export type Catalog = typeof Catalog.Type
export type Named = typeof Named.Type

export const decodeCatalog = Schema.decodeUnknownSync(Schema.parseJson(Catalog))

export const isSame = (a: Named, b: Named): boolean => a.schema === b.schema && a.name === b.name

export const relationOf = (catalog: Catalog, wanted: Named): Relation | undefined =>
  catalog.relations.find((relation) => isSame(relation, wanted))

/** What PostgREST reads at its start: one row, one column. Types are written with their schemas. */
export const catalogSql = (schemas: ReadonlyArray<string>): string => `
  with exposed as (select oid, nspname from pg_namespace where nspname in (${schemas.map(literal).join(", ")})),
  kinds as (
    select t.oid, coalesce(b.typname, t.typname)::text as base
    from pg_type t left join pg_type b on b.oid = t.typbasetype and t.typtype = 'd'
  ),
  columns as (
    select a.attrelid, json_agg(json_build_object(
      'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'base', k.base,
      'byDefault', case
        when a.attgenerated <> '' then null
        when a.attidentity <> '' then
          format('nextval(%L)', pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname))
        else pg_get_expr(d.adbin, d.adrelid)
      end) order by a.attnum) as columns
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    join exposed n on n.oid = c.relnamespace
    join kinds k on k.oid = a.atttypid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped
    group by a.attrelid
  ),
  keys as (
    select p.conrelid, p.contype, p.conkey,
      (select json_agg(a.attname order by array_position(p.conkey, a.attnum))
       from pg_attribute a where a.attrelid = p.conrelid and a.attnum = any (p.conkey)) as names
    from pg_constraint p where p.contype in ('p', 'u')
  )
  select json_build_object(
    'relations', (
      select coalesce(json_agg(json_build_object(
        'schema', n.nspname, 'name', c.relname, 'view', c.relkind in ('v', 'm'),
        'columns', coalesce(l.columns, '[]'), 'key', coalesce(k.names, '[]'))), '[]')
      from pg_class c
      join exposed n on n.oid = c.relnamespace
      left join columns l on l.attrelid = c.oid
      left join keys k on k.conrelid = c.oid and k.contype = 'p'
      where c.relkind in ('r', 'v', 'm', 'f', 'p') and not c.relispartition),
    'foreignKeys', (
      select coalesce(json_agg(json_build_object(
        'name', f.conname,
        'from', json_build_object('schema', n.nspname, 'name', c.relname),
        'columns', (select json_agg(a.attname order by array_position(f.conkey, a.attnum))
          from pg_attribute a where a.attrelid = f.conrelid and a.attnum = any (f.conkey)),
        'to', json_build_object('schema', m.nspname, 'name', r.relname),
        'toColumns', (select json_agg(a.attname order by u.place)
          from unnest(f.confkey) with ordinality u (number, place)
          join pg_attribute a on a.attrelid = f.confrelid and a.attnum = u.number),
        'unique', exists (select from keys k where k.conrelid = f.conrelid
          and k.conkey @> f.conkey and k.conkey <@ f.conkey),
        'inKey', exists (select from keys k where k.conrelid = f.conrelid
          and k.contype = 'p' and k.conkey @> f.conkey)) order by f.conname), '[]')
      from pg_constraint f
      join pg_class c on c.oid = f.conrelid
      join exposed n on n.oid = c.relnamespace
      join pg_class r on r.oid = f.confrelid
      join exposed m on m.oid = r.relnamespace
      where f.contype = 'f' and f.conparentid = 0),
    'routines', (
      select coalesce(json_agg(json_build_object(
        'schema', n.nspname, 'name', p.proname,
        'parameters', (
          select coalesce(json_agg(json_build_object(
            'name', coalesce(p.proargnames[i], ''),
            'type', format_type(coalesce(p.proallargtypes[i], p.proargtypes[i - 1]), null),
            'base', k.base,
            'required', g.input <= p.pronargs - p.pronargdefaults) order by i), '[]')
          from (
            select i, row_number() over (order by i) as input
            from generate_series(1, coalesce(array_length(p.proallargtypes, 1), p.pronargs)) i
            where p.proargmodes is null or p.proargmodes[i] in ('i', 'b', 'v')) g
          join kinds k on k.oid = coalesce(p.proallargtypes[i], p.proargtypes[i - 1])),
        'variadic', p.provariadic <> 0,
        'set', p.proretset,
        'single', not p.proretset or p.prorows = 1,
        'nothing', t.typname = 'void' and not coalesce(p.proargmodes && '{o,b,t}'::"char"[], false),
        'composite', t.typtype = 'c' or t.typname = 'record'
          or coalesce((select count(*) from unnest(p.proargmodes) x where x in ('o', 'b', 't')) > 1, false)
          or coalesce(p.proargmodes && '{t}'::"char"[], false),
        'volatile', p.provolatile = 'v',
        'relation', (select json_build_object('schema', rn.nspname, 'name', rc.relname)
          from pg_class rc join exposed rn on rn.oid = rc.relnamespace
          where rc.oid = t.typrelid and rc.relkind in ('r', 'v', 'm', 'f', 'p')))), '[]')
      from pg_proc p
      join exposed n on n.oid = p.pronamespace
      join pg_type t on t.oid = p.prorettype
      where p.prokind = 'f' and t.typname not in ('trigger', 'event_trigger')))::text as catalog`
