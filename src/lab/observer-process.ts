import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Failed, ObserverMessage } from './observer-message.ts'

/** The program that sets up and watches the lab, in user, network and mount namespaces of its own. */
export interface Observer {
  ask<Reply>(message: ObserverMessage): Promise<Reply | Failed>
  /** Ends it, and with it every namespace that it made. */
  close(): Promise<void>
}

const program = join(import.meta.dirname, 'observer.py')

export function startObserver(): Observer {
  const child = spawn('unshare', ['-Urnm', '--map-root-user', 'python3', '-I', program], { stdio: 'pipe' })
  const waiting: ((answer: string | Failed) => void)[] = []
  let told = ''
  let ended: Failed | undefined
  const end = (why: string): void => {
    ended ??= { failed: why }
    for (const give of waiting.splice(0)) give(ended)
  }
  child.stderr.on('data', (data: Buffer) => {
    told = `${told}${data.toString()}`.slice(-2000)
  })
  child.on('error', (error: NodeJS.ErrnoException) =>
    end(error.code === 'ENOENT' ? 'unshare (util-linux) is missing' : error.message),
  )
  child.on('close', (status) => end(told.trim() || `the observer ended with status ${status}`))
  // A broken pipe: what the observer said on its way out tells more.
  child.stdin.on('error', () => undefined)
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(line))
  const stop = (): void => {
    child.kill('SIGKILL')
  }
  process.once('exit', stop)
  return {
    ask: async <Reply>(message: ObserverMessage): Promise<Reply | Failed> => {
      if (ended) return ended
      const answer = await new Promise<string | Failed>((give) => {
        waiting.push(give)
        child.stdin.write(`${JSON.stringify(message)}\n`)
      })
      return typeof answer === 'string' ? (JSON.parse(answer) as Reply | Failed) : answer
    },
    close: async () => {
      process.removeListener('exit', stop)
      await closed(child)
    },
  }
}

async function closed(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const gone = new Promise((resolve) => child.once('close', resolve))
  child.stdin.end()
  await gone
}

export const isFailed = (reply: object): reply is Failed => 'failed' in reply
