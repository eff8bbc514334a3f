import type { DeviceName } from '../../artefact/link.ts'
import type { Work } from '../work.ts'
import type { Ethernet } from './ethernet.ts'

/** loopback_xmit: comes in again on the same device. Mark and connection stay with the packet. */
export function loopbackTransmit(work: Work, device: DeviceName, ethernet: Ethernet): void {
  work.backlog.push({ kind: 'receive', device, ethernet })
}
