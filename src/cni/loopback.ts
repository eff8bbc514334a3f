import { deviceName } from '../artefact/link.ts'
import type { NetnsAdditions } from '../artefact/netns.ts'
import { ip } from '../net/ip.ts'
import { zeroMac } from '../net/mac.ts'

const lo = deviceName('lo')

/** `ip link set lo up`: the kernel gives it its addresses. */
export const loopback: NetnsAdditions = {
  links: [{ name: lo, mac: zeroMac, mtu: 65536, up: true, kind: { kind: 'loopback' }, origin: { by: 'loopback' } }],
  addresses: [
    { ip: ip('127.0.0.1'), length: 8, dev: lo, scope: 'host', origin: { by: 'loopback' } },
    { ip: ip('::1'), length: 128, dev: lo, scope: 'host', origin: { by: 'loopback' } },
  ],
}
