#!/usr/bin/env node
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { run } from './run.ts'

// `kubehop ... | head` closes the pipe early; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await run(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  files: {
    kindOf(path) {
      const stat = statSync(path, { throwIfNoEntry: false })
      return stat === undefined ? undefined : stat.isDirectory() ? 'directory' : 'file'
    },
    namesIn: (path) => readdirSync(path),
    read: (path) => readFileSync(path),
    readStandardInput: () => readFileSync(0),
  },
  env: process.env,
  outIsTerminal: process.stdout.isTTY,
  errIsTerminal: process.stderr.isTTY,
  now: () => performance.now(),
})
