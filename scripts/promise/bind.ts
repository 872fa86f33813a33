import "../../src/promise.js"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { bind } from "./late.js"

bind({ Schema, SchemaAST, ParseResult })
