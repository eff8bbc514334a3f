import type { Action } from './action.ts'
import { bridgeFinish } from './device/bridge.ts'
import { frameOf } from './device/ethernet.ts'
import { receive, receiveFrame, receiveIp } from './device/receive.ts'
import { transmit, transmitIp } from './device/transmit.ts'
import type { Emit } from './emit.ts'
import type { LinuxEvent } from './event.ts'
import { sendIcmpError } from './icmp-send.ts'
import type { Input, Output } from './kernel.ts'
import { neighbourOutput, neighbourTimer } from './neighbour-output.ts'
import type { Netns } from './netns.ts'
import { forwardHook } from './path/forward.ts'
import { deliver } from './path/local.ts'
import { localOut, output } from './path/output.ts'
import { reject } from './reject.ts'
import { send } from './send.ts'
import { skbOf } from './skb.ts'
import { drop, linkOf, type Work } from './work.ts'

/** Actions that one input may cause. No packet needs nearly as many; a loop that nothing else ends stops here. */
const actionLimit = 20_000

/** One input, and everything that it causes inside the namespace. What leaves, and what is owed, is returned. */
export function step(ns: Netns, input: Input, emit: Emit<LinuxEvent>): readonly Output[] {
  const work: Work = { ns, emit, outputs: [], next: [], backlog: [] }
  begin(work, input)
  // A stack of what is still to be done: the newest actions first, each group in its own order.
  const stack: Action[] = []
  for (let done = 0; ; done++) {
    stack.push(...work.next.splice(0).reverse())
    const action = stack.pop() ?? work.backlog.shift()
    if (!action) return work.outputs
    if (done >= actionLimit) {
      drop(work, 'loop-limit', undefined, `one input caused more than ${actionLimit} actions: a forwarding loop`)
      return work.outputs
    }
    perform(work, action)
  }
}

function begin(work: Work, input: Input): void {
  switch (input.kind) {
    case 'receive':
      receiveFrame(work, input.device, input.frame)
      return
    case 'receive-tun':
      receiveIp(work, input.device, skbOf(input.packet))
      return
    case 'send':
      send(work, input.request)
      return
    case 'timer':
      neighbourTimer(work, input.timer)
      return
  }
}

function perform(work: Work, action: Action): void {
  switch (action.kind) {
    case 'transmit':
      transmit(work, action.device, action.ethernet)
      return
    case 'transmit-ip':
      transmitIp(work, action.device, action.skb, action.nexthop)
      return
    case 'receive':
      receive(work, action.device, action.ethernet, action.prerouted ?? false)
      return
    case 'receive-ip':
      receiveIp(work, action.device, action.skb)
      return
    case 'forward':
      forwardHook(work, action.skb, action.dst)
      return
    case 'local-out':
      localOut(work, action.skb, action.dst, action.from)
      return
    case 'output':
      output(work, action.skb, action.dst)
      return
    case 'neighbour-output':
      neighbourOutput(work, action.skb, action.device, action.nexthop)
      return
    case 'deliver':
      deliver(work, action.skb, action.device, action.broadcast)
      return
    case 'icmp-error':
      sendIcmpError(work, action.about, action.error)
      return
    case 'reject':
      reject(work, action.skb, action.answer, action.bridged)
      return
    case 'bridge-resume':
      resume(work, action)
      return
  }
}

/** br_nf_dev_xmit: a packet socket on the bridge sees it go out, then it goes on as if the port had received it. */
function resume(
  work: Work,
  { bridge: device, port: name, ethernet }: Extract<Action, { kind: 'bridge-resume' }>,
): void {
  const bridge = work.ns.bridges.get(device)
  const port = linkOf(work, name)
  if (!bridge || !port) return
  work.emit({ kind: 'transmit', device, frame: frameOf(ethernet) })
  bridgeFinish(work, bridge, port, ethernet, true)
}
