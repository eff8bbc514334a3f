import type { NetnsState } from '../artefact/netns.ts'
import type { Machine } from '../cluster/machine.ts'
import { type BaselineOptions, baseline } from './baseline.ts'
import { type Cable, isWired, type LabPlan, type LabSpace } from './plan.ts'
import { type SpaceCommands, spaceCommands } from './space-commands.ts'

/** The namespace that holds the far ends of cables that lead nowhere. */
export const nowhere = (run: string): string => `kh${run}-x`

export interface ScriptOptions {
  /** Milliseconds between two neighbour requests, a second on a real host: less where a prober need not wait. */
  readonly retransMs?: number
}

/** A shell script that builds the whole cluster from network namespaces. Needs root, or a user namespace of its own. */
export function buildScript(plan: LabPlan, options: ScriptOptions = {}): string {
  const names = [...plan.spaces.map((s) => s.name), ...(plan.cables.some((c) => !c.b) ? [nowhere(plan.run)] : [])]
  return [
    head(plan, names),
    helpers({ ipv6: plan.ipv6 }),
    '# Namespaces: one each for nodes, pods, routers, switches and hosts.',
    heredoc(
      'ip -batch -',
      names.map((n) => `netns add ${n}`),
    ),
    `for netns in ${names.join(' ')}; do baseline "$netns"; done`,
    '',
    cables(plan),
    ...plan.spaces.map((s) => spaceText(s, spaceCommands(s.state, plan.ipv6), options.retransMs)),
    `finished=yes`,
    '',
  ].join('\n')
}

/** Takes away what `buildScript` made, and nothing else. */
export function removeScript(plan: LabPlan): string {
  const names = [...plan.spaces.map((s) => s.name), ...(plan.cables.some((c) => !c.b) ? [nowhere(plan.run)] : [])]
  return [
    '#!/bin/sh',
    `# Removes the lab that \`kubehop lab script\` made with run id ${plan.run}.`,
    `for netns in ${names.join(' ')}; do`,
    '  [ -e "/run/netns/$netns" ] && ip netns del "$netns"',
    'done',
    'exit 0',
    '',
  ].join('\n')
}

function head(plan: LabPlan, names: readonly string[]): string {
  return [
    '#!/bin/sh',
    `# A cluster of ${plan.spaces.length} network namespaces, made by \`kubehop lab script\`. Run as root, or in`,
    '#   unshare -Urnm --map-root-user sh -c "mount -t tmpfs none /run; sh THIS; exec bash"',
    '# Enter a namespace with nsenter --net=/run/netns/NAME. Remove everything with `kubehop lab script --remove`.',
    ...plan.spaces.map((s) => `#   ${s.name.padEnd(10)} ${describe(s.machine)}`),
    'set -eu',
    `: "\${IPTABLES_RESTORE:=iptables-restore}" "\${IP6TABLES_RESTORE:=ip6tables-restore}"`,
    'for tool in ip bridge sysctl nsenter; do',
    '  command -v "$tool" >/dev/null || { echo "$tool is missing" >&2; exit 2; }',
    'done',
    `for netns in ${names.join(' ')}; do`,
    '  [ ! -e "/run/netns/$netns" ] || { echo "namespace $netns exists already" >&2; exit 2; }',
    'done',
    '',
  ].join('\n')
}

export const describe = (m: Machine): string =>
  m.kind === 'pod' ? `pod ${m.namespace}/${m.name} on ${m.node}` : `${m.kind} ${m.name}`

function helpers(options: BaselineOptions): string {
  const { always, whereThere } = baseline(options)
  return [
    'finished=no',
    '# A build that fails half-way leaves nothing behind.',
    'made=""',
    'undo() { [ "$finished" = yes ] || for netns in $made; do ip netns del "$netns" 2>/dev/null || :; done; }',
    'trap undo EXIT',
    'within() { netns=$1; shift; nsenter --net="/run/netns/$netns" "$@"; }',
    '# Settings of a fresh kernel, whatever this machine hands on to new namespaces.',
    'baseline() {',
    '  made="$made $1"',
    heredoc('  within "$1" sysctl -qp -', always),
    heredoc('  within "$1" sysctl -eqp - 2>/dev/null', whereThere).trimEnd(),
    '}',
    '',
  ].join('\n')
}

const heredoc = (command: string, lines: readonly string[]): string =>
  [`${command} <<'END'`, ...lines, 'END', ''].join('\n')

/** Laid from their first end; the ends get their addresses with the other devices. */
function cables(plan: LabPlan): string {
  const loose = plan.cables.filter((c) => !c.b)
  const byEnd = plan.spaces.map((s) => plan.cables.filter((c) => c.a.netns === s.name))
  return [
    '# Cables: veth pairs between the namespaces.',
    ...byEnd
      .filter((mine) => mine.length > 0)
      .map((mine) =>
        heredoc(
          `ip -n ${mine[0]?.a.netns} -batch -`,
          mine.map((c) => cable(c, loose, plan.run)),
        ),
      ),
    ...loose.map((_, i) => `ip -n ${nowhere(plan.run)} link set x${i} up\n`),
  ].join('\n')
}

function cable({ a, b }: Cable, loose: readonly Cable[], run: string): string {
  const far = b ?? { netns: nowhere(run), device: `x${loose.findIndex((c) => c.a === a)}` }
  const netns = far.netns === a.netns ? '' : ` netns ${far.netns}`
  return `link add ${a.device} type veth peer name ${far.device}${netns}`
}

function spaceText({ name, machine, state }: LabSpace, c: SpaceCommands, retransMs: number | undefined): string {
  const some = (command: string, lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : [heredoc(command, lines).trimEnd()]
  const text = (command: string, rules: string): readonly string[] =>
    rules === '' ? [] : [`within ${name} ${command} <<'END'\n${rules}END`]
  return [
    `# ${describe(machine)}`,
    ...some(`within ${name} sysctl -eqp -`, c.sysctlsFirst),
    ...some(`ip -n ${name} -batch -`, [...c.ip, ...patience(state, retransMs)]),
    ...some(`ip -6 -n ${name} -batch -`, c.ip6),
    ...some(`bridge -n ${name} -batch -`, c.bridge),
    ...some(`within ${name} sysctl -eqp -`, c.sysctlsLast),
    ...text('ipset restore', c.ipset),
    ...text('ipvsadm -R', c.ipvs),
    ...text('"$IPTABLES_RESTORE"', c.iptables.ipv4),
    ...text('"$IP6TABLES_RESTORE"', c.iptables.ipv6),
    // Of equal priority, the kernel runs first what came last.
    ...text('nft -f -', c.nft),
    '',
  ].join('\n')
}

const patience = ({ links }: NetnsState, retransMs: number | undefined): readonly string[] =>
  retransMs === undefined
    ? []
    : links
        .filter((l) => isWired(l) || l.kind.kind === 'bridge' || l.kind.kind === 'vxlan')
        .map((l) => `ntable change name arp_cache dev ${l.name} retrans ${retransMs}`)
