import { type Ip, ipOctets } from '../net/ip.ts'
import { type Mac, macAt } from '../net/mac.ts'

/** Bridge plugin up to v0.6.0 (pkg/utils/hwaddr): 0a:58 and the four bytes of an IPv4 address. */
export const cniMac = (ip: Ip): Mac => macAt([0x0a, 0x58, ...ipOctets(ip).slice(-4)])

/** Docker (libnetwork netutils.GenerateMACFromIP): 02:42 and the four bytes of an IPv4 address. */
export const dockerMac = (ip: Ip): Mac => macAt([0x02, 0x42, ...ipOctets(ip).slice(-4)])
