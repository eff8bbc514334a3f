import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Failed } from './observer-message.ts'

/** A program that answers each line on its standard input with one on its standard output. */
export interface LineProcess {
  ask(line: string): Promise<string | Failed>
  /** Ends its input and waits until it is gone. */
  close(): Promise<void>
}

export interface LineProcessOptions {
  /** Whether a line is an answer; the others are what a person is told when it ends. */
  readonly isAnswer?: (line: string) => boolean
  /** In words, why it could not be started (`ENOENT`) or ended. */
  readonly missing: string
  readonly name: string
  /** Milliseconds after which it is taken for stuck and killed: while a question is open, and after its input ended. */
  readonly limits?: { readonly answer: number; readonly end: number }
}

const toldAtMost = 2000

/** It dies with this process. */
export function lineProcess(child: ChildProcessWithoutNullStreams, options: LineProcessOptions): LineProcess {
  const { isAnswer = () => true, missing, name, limits } = options
  const waiting: ((answer: string | Failed) => void)[] = []
  let told = ''
  let ended: Failed | undefined
  const tell = (text: string): void => {
    told = `${told}${text}`.slice(-toldAtMost)
  }
  const end = (why: string): void => {
    ended ??= { failed: why }
    for (const give of waiting.splice(0)) give(ended)
  }
  const stop = (): void => {
    child.kill('SIGKILL')
  }
  child.stderr.on('data', (data: Buffer) => tell(data.toString()))
  child.on('error', (error: NodeJS.ErrnoException) => end(error.code === 'ENOENT' ? missing : error.message))
  child.on('close', (status) => end(told.trim() || `${name} ended with status ${status}`))
  // A broken pipe: what it said on its way out tells more.
  child.stdin.on('error', () => undefined)
  createInterface({ input: child.stdout }).on('line', (line) =>
    isAnswer(line) ? waiting.shift()?.(line) : tell(`${line}\n`),
  )
  process.once('exit', stop)
  return {
    ask: async (line) => {
      if (ended) return ended
      const stuck = after(limits?.answer, () => {
        end(`${name} did not answer within ${(limits?.answer ?? 0) / 1000} s`)
        stop()
      })
      const answer = await new Promise<string | Failed>((give) => {
        waiting.push(give)
        if (line !== '') child.stdin.write(`${line}\n`)
      })
      clearTimeout(stuck)
      return answer
    },
    close: async () => {
      process.removeListener('exit', stop)
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
      const gone = new Promise((resolve) => child.once('close', resolve))
      const stuck = after(limits?.end, stop)
      child.stdin.end()
      await gone
      clearTimeout(stuck)
    },
  }
}

const after = (ms: number | undefined, then: () => void): NodeJS.Timeout | undefined =>
  ms === undefined ? undefined : setTimeout(then, ms)
