/** `npm run bench` runs this: the Promise entry as it is published, beside what the bench itself is compiled to. */
import { bundle } from "./promise/build.js"

await bundle(".bench/entry")
