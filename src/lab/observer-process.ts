import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { type LineProcess, lineProcess } from './line-process.ts'
import type { Failed, ObserverMessage } from './observer-message.ts'

/** The program that sets up and watches the lab, in user, network and mount namespaces of its own. */
export interface Observer {
  ask<Reply>(message: ObserverMessage): Promise<Reply | Failed>
  /** Ends it, and with it every namespace that it made. */
  close(): Promise<void>
}

export const observerProgram = join(import.meta.dirname, 'observer.py')

/** On the running kernel. */
export function startObserver(): Observer {
  const child = spawn('unshare', ['-Urnm', '--map-root-user', 'python3', '-I', observerProgram], { stdio: 'pipe' })
  return observerOf(lineProcess(child, { missing: 'unshare (util-linux) is missing', name: 'the observer' }))
}

/** Messages and answers are JSON, one a line. */
export const observerOf = (lines: LineProcess): Observer => ({
  ask: async <Reply>(message: ObserverMessage): Promise<Reply | Failed> => {
    const answer = await lines.ask(JSON.stringify(message))
    return typeof answer === 'string' ? (JSON.parse(answer) as Reply | Failed) : answer
  },
  close: () => lines.close(),
})

export const isFailed = (reply: object): reply is Failed => 'failed' in reply
