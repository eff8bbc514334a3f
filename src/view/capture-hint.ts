import type { Captured } from '../trace/capture.ts'

/** IANA's port of VXLAN; flannel keeps to the one that Linux had before. */
const assignedVxlanPort = 4789

/** What to tell tshark or Wireshark, which take a tunnel for what its port is assigned to; undefined where they know it. */
export function decodeHint(captured: readonly Captured[]): string | undefined {
  const ports = new Set(captured.flatMap((c) => vxlanPort(c) ?? []))
  ports.delete(assignedVxlanPort)
  if (ports.size === 0) return undefined
  const options = [...ports].map((port) => `-d udp.port==${port},vxlan`)
  return `VXLAN runs on UDP port ${[...ports].join(', ')}: tshark and wireshark decode it with ${options.join(' ')}`
}

function vxlanPort({ content }: Captured): number | undefined {
  if (content.kind !== 'frame' || content.frame.payload.kind !== 'ip') return undefined
  const { payload } = content.frame.payload.packet
  return payload.kind === 'udp' && payload.vxlan ? payload.dstPort : undefined
}
