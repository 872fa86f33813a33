#!/usr/bin/env node
import { program } from "./internal/cli/program.js"

program(process.argv.slice(2))
