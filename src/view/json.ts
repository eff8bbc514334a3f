import { serviceName } from '../artefact/ipvs.ts'
import { formatElement } from '../artefact/nft/expression.ts'
import type { Origin } from '../artefact/origin.ts'
import type { ClusterEvent } from '../cluster/process.ts'
import { packetLength } from '../packet/length.ts'
import { type IpPacket, packetFamily } from '../packet/packet.ts'
import { type Fraction, toNumber } from '../trace/fraction.ts'
import type { Branch, EndView, Hop, Leg, Step, Trace, Verdict } from '../trace/trace.ts'
import { ruleOrigin, ruleText } from './rule-text.ts'
import { destination, natText, routeText, source, stepText } from './step.ts'

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** The trace as JSON, as `trace.schema.json` describes it. Keys stay; arrays are in journey order. */
export function formatJson(trace: Trace): string {
  return `${JSON.stringify(traceJson(trace), undefined, 2)}\n`
}

/** One step per line, each with where it belongs: for `jq` and streaming. */
export function formatJsonLines(trace: Trace): string {
  const lines = trace.branches.flatMap((branch, b) =>
    branch.legs.flatMap((leg) =>
      leg.hops.flatMap((hop) =>
        hop.steps.map((step) =>
          JSON.stringify({
            branch: b,
            direction: leg.direction,
            n: hop.n ?? null,
            netns: hop.netns,
            node: hop.node ?? null,
            ...stepJson(step),
          }),
        ),
      ),
    ),
  )
  return [...lines, JSON.stringify({ verdict: verdictJson(trace.verdict) }), ''].join('\n')
}

function traceJson(trace: Trace): Json {
  const { question, model } = trace
  return {
    apiVersion: 'kubehop/v1',
    kind: 'Trace',
    question: {
      from: endJson(question.from),
      to: endJson(question.to),
      protocol: question.protocol,
      packet: packetJson(question.packet),
      assumed: question.assumed,
      seed: question.seed,
    },
    model: { cni: model.cni, proxy: model.proxy, kubeVersion: model.kubeVersion, nodes: model.nodes },
    verdict: verdictJson(trace.verdict),
    branches: trace.branches.map(branchJson),
    notes: trace.notes.map((n) => ({ level: n.level, code: n.code, message: n.message })),
  }
}

export const endJson = (end: EndView): Json => ({
  kind: end.kind,
  ...(end.namespace === undefined ? {} : { namespace: end.namespace }),
  name: end.name,
  ...(end.port === undefined ? {} : { port: end.port }),
  ...(end.address === undefined ? {} : { address: end.address }),
  ...(end.node === undefined ? {} : { node: end.node }),
})

export function verdictJson(verdict: Verdict): Json {
  const { place } = verdict
  const directions =
    verdict.result === 'delivered'
      ? { forward: 'delivered', reply: 'delivered' }
      : verdict.failed === 'reply'
        ? { forward: 'delivered', reply: verdict.result }
        : { forward: verdict.result, reply: null }
  return {
    result: verdict.mixed ? 'mixed' : verdict.result,
    reason: verdict.reason ?? null,
    ...directions,
    exitCode: exitCodeOf(verdict),
    sentence: verdict.sentence,
    place: place
      ? {
          netns: place.netns,
          node: place.node ?? null,
          hop: place.hop ?? null,
          device: place.device ?? null,
          hook: place.hook?.toUpperCase() ?? null,
          table: place.table ?? null,
          chain: place.chain ?? null,
          index: place.index ?? null,
          rule: place.rule ?? null,
          origin: place.origin ? originJson(place.origin) : null,
        }
      : null,
  }
}

/** 0 delivered both ways, 1 not, 3 some branches and some not, 4 undecided. */
export function exitCodeOf(verdict: Verdict): 0 | 1 | 3 | 4 {
  if (verdict.mixed) return 3
  return verdict.result === 'delivered' ? 0 : verdict.result === 'undecided' ? 4 : 1
}

const fractionJson = (f: Fraction): Json => ({
  value: toNumber(f),
  numerator: f.numerator.toString(),
  denominator: f.denominator.toString(),
})

function branchJson(branch: Branch): Json {
  const { reached, peerSeen } = branch
  return {
    probability: fractionJson(branch.probability),
    choices: branch.choices.map((c) => ({
      table: c.table ?? null,
      chain: c.chain ?? null,
      index: c.index ?? null,
      what: c.what,
      probability: fractionJson(c.probability),
    })),
    verdict: verdictJson(branch.verdict),
    reached: reached
      ? {
          netns: reached.netns,
          kind: reached.kind,
          name: reached.name,
          node: reached.node ?? null,
          address: reached.address,
          port: reached.port ?? null,
          owner: reached.owner,
          source: { address: reached.source.ip, port: reached.source.port ?? null },
        }
      : null,
    peerSeen: peerSeen ? { address: peerSeen.ip, port: peerSeen.port ?? null } : null,
    legs: branch.legs.map(legJson),
    sessions: branch.sessions.map((s) => ({
      netns: s.netns,
      id: s.id,
      original: s.original,
      reply: s.reply,
      nat: s.nat,
    })),
    cost: { rulesExamined: branch.cost.rulesExamined, lookups: branch.cost.lookups },
  }
}

const legJson = (leg: Leg): Json => ({ direction: leg.direction, hops: leg.hops.map(hopJson) })

const hopJson = (hop: Hop): Json => ({
  n: hop.n ?? null,
  netns: hop.netns,
  node: hop.node ?? null,
  ...placeJson(hop),
  packetIn: hop.packetIn ? packetJson(hop.packetIn) : null,
  packetOut: hop.packetOut ? packetJson(hop.packetOut) : null,
  steps: hop.steps.map(stepJson),
})

function placeJson({ place }: Hop): { readonly [key: string]: Json } {
  switch (place.kind) {
    case 'machine':
      return { place: place.machine, name: place.name }
    case 'device':
      return { place: 'device', device: place.device, deviceKind: place.deviceKind }
    case 'hook':
      return { place: 'hook', hook: place.hook.toUpperCase() }
    case 'route':
      return { place: 'route' }
    case 'wire':
      return { place: 'wire', name: place.segment }
  }
}

export function packetJson(packet: IpPacket): Json {
  const { payload } = packet
  const ports =
    payload.kind === 'tcp' || payload.kind === 'udp' || payload.kind === 'sctp'
      ? { sport: payload.srcPort, dport: payload.dstPort }
      : {}
  const tunnel =
    payload.kind === 'udp' && payload.vxlan?.inner.payload.kind === 'ip'
      ? { vni: payload.vxlan.vni, inner: packetJson(payload.vxlan.inner.payload.packet) }
      : payload.kind === 'ipip'
        ? { inner: packetJson(payload.inner) }
        : payload.kind === 'udp' && payload.tunnelled
          ? { inner: packetJson(payload.tunnelled) }
          : {}
  const icmp =
    payload.kind === 'icmp'
      ? {
          message: payload.message.kind,
          ...(payload.message.kind === 'error' ? { type: payload.message.type, code: payload.message.code } : {}),
        }
      : {}
  return {
    proto: payload.kind,
    family: packetFamily(packet),
    src: packet.src,
    dst: packet.dst,
    ...ports,
    ...(payload.kind === 'tcp' ? { flags: payload.flags } : {}),
    ...icmp,
    ttl: packet.ttl,
    df: packet.df,
    len: packetLength(packet),
    ...tunnel,
  }
}

function stepJson(step: Step): { readonly [key: string]: Json } {
  const { event, reason } = step
  const text = stepText(event, true, reason)
  return {
    kind: event.kind,
    ...(step.outer ? { outer: true } : {}),
    text: text?.text ?? '',
    ...detailJson(event),
    ...(reason === undefined ? {} : { reason }),
    ...(step.resolved
      ? { resolved: step.resolved.map((e) => ({ kind: e.kind, text: stepText(e, true)?.text ?? '' })) }
      : {}),
  }
}

/** The fields of an event that scripts ask for; its text has the rest. */
function detailJson(event: ClusterEvent): { readonly [key: string]: Json } {
  switch (event.kind) {
    case 'rule': {
      const origin = ruleOrigin(event)
      return {
        engine: event.engine ?? 'iptables',
        hook: event.hook.toUpperCase(),
        table: event.table,
        chain: event.chain,
        index: event.index,
        rule: ruleText(event),
        verdict: event.verdict,
        examined: event.examined,
        origin: origin ? originJson(origin) : null,
        ...(event.engine === 'nftables' && event.element ? { element: formatElement(event.element) } : {}),
      }
    }
    case 'chain-end':
      return {
        engine: event.engine ?? 'iptables',
        hook: event.hook.toUpperCase(),
        table: event.table,
        chain: event.chain,
        examined: event.examined,
        verdict: event.outcome,
      }
    case 'ipvs':
      return {
        engine: 'ipvs',
        hook: event.hook.toUpperCase(),
        service: serviceName(event.service),
        scheduler: event.service.scheduler,
        verdict: event.outcome,
        origin: event.service.origin ? originJson(event.service.origin) : null,
      }
    case 'nat':
      return {
        manip: event.manip,
        why: event.why,
        from: event.manip === 'src' ? source(event.before) : destination(event.before),
        to: event.manip === 'src' ? source(event.after) : destination(event.after),
        connection: event.connection,
        text: natText(event),
      }
    case 'route':
      return { purpose: event.purpose, outcome: event.result.kind, route: routeText(event.result) }
    case 'neighbour':
      return { device: event.device, address: event.ip, mac: event.entry.mac, state: event.entry.state }
    case 'vxlan-fdb':
      return { device: event.device, mac: event.mac, remote: event.entry?.dst ?? null }
    case 'encapsulate':
    case 'decapsulate':
      return {
        device: event.device,
        form: event.form,
        ...(event.vni === undefined ? {} : { vni: event.vni }),
        carrier: packetJson(event.outer),
      }
    case 'passage':
      return {
        process: event.process,
        to: event.to,
        by: event.by,
        device: event.device,
        peer: event.peer ?? null,
        carried: packetJson(event.packet),
      }
    case 'conntrack':
      return {
        hook: event.hook.toUpperCase(),
        state: event.state,
        direction: event.direction ?? null,
        connection: event.connection ?? null,
      }
    case 'receive':
    case 'transmit':
      return { device: event.device }
    case 'bridge-local':
    case 'bridge-forward':
      return { device: event.bridge }
    case 'drop':
      return { reason: event.reason }
    default:
      return {}
  }
}

const originJson = (origin: Origin): Json => ({
  by: origin.by,
  ...(origin.note === undefined ? {} : { note: origin.note }),
  ...(origin.object === undefined
    ? {}
    : {
        object: {
          kind: origin.object.kind,
          ...(origin.object.namespace === undefined ? {} : { namespace: origin.object.namespace }),
          name: origin.object.name,
          ...(origin.object.field === undefined ? {} : { path: origin.object.field }),
          ...(origin.object.file === undefined ? {} : { file: origin.object.file }),
          ...(origin.object.line === undefined ? {} : { line: origin.object.line }),
        },
      }),
})
