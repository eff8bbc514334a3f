#!/usr/bin/env node
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { run } from './run.ts'

// `kubehop ... | head` closes the pipe early; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await run(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  outBytes: (bytes) => process.stdout.write(bytes),
  err: (text) => process.stderr.write(text),
  writeFile(path, bytes) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
  },
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
  outIsTerminal: process.stdout.isTTY === true,
  errIsTerminal: process.stderr.isTTY === true,
  now: () => performance.now(),
})
