/**
 * Loaded before a program that npm runs. npm tells signals to the shell in between, and a shell need not tell its child: what it
 * leaves behind is asked to end, as the signal would have asked it. Nobody says that a parent is gone, so it is looked at. On
 * Windows it never is.
 */
import process from "node:process"

const parent = process.ppid

const looking = setInterval(() => {
  if (process.ppid === parent) return
  clearInterval(looking)
  process.kill(process.pid, "SIGTERM")
}, 50)

looking.unref()
