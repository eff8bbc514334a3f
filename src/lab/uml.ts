import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { lineProcess } from './line-process.ts'
import { type Observer, observerOf, observerProgram } from './observer-process.ts'

/**
 * User-mode Linux: a kernel that runs as a program, with this machine's files as its root (read-only) and the lab's observer
 * as what it boots into. It has what many kernels lack: IPVS, IPIP, dummy devices.
 */

const boot = join(import.meta.dirname, 'uml-boot.py')
const init = join(import.meta.dirname, 'uml-init.sh')
/** Where Debian's package has the modules. */
const modules = '/usr/lib/uml/modules'

/** Programs that it needs, and the Debian packages that have them. */
const needed = [
  ['linux.uml', 'user-mode-linux'],
  ['modprobe', 'kmod'],
  ['python3', 'python3'],
] as const

const searched = (): readonly string[] => [
  ...(process.env.PATH ?? '').split(delimiter),
  '/usr/bin',
  '/usr/sbin',
  '/sbin',
]

/** Why it cannot run here; undefined where it can. */
export function umlMissing(directories: readonly string[] = searched()): string | undefined {
  if (process.platform !== 'linux') return `needs Linux; this is ${process.platform}`
  const missing = needed.filter(([program]) => !directories.some((dir) => isExecutable(join(dir, program))))
  if (missing.length > 0)
    return `needs ${missing.map(([program, name]) => `${program} (Debian package ${name})`).join(', ')}, which this machine lacks`
  return existsSync(modules) ? undefined : `needs ${modules} (Debian package user-mode-linux), which this machine lacks`
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Its last word before it takes messages; what the kernel says until then is no answer. */
const ready = 'kubehop-ready'

/** Arguments of python3. */
export const umlCommand = ['-I', boot, init, observerProgram, modules, 'mem=1G'] as const

const limits = { answer: 120_000, end: 5_000 }

/** Boots it. Asked too early, its console would echo the message. */
export function startUmlObserver(): Observer {
  const child = spawn('python3', umlCommand, { stdio: 'pipe' })
  const lines = lineProcess(child, {
    isAnswer: (line) => line.startsWith('{') || line.trim() === ready,
    missing: 'python3 is missing',
    name: 'user-mode Linux',
    limits,
  })
  const booted = lines.ask('')
  const observer = observerOf(lines)
  return {
    ask: async (message) => {
      const answer = await booted
      return typeof answer === 'string' ? observer.ask(message) : answer
    },
    close: observer.close,
  }
}
