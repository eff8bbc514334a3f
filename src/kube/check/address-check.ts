import { type Ip, parseIp } from '../../net/ip.ts'
import { formatPrefix, type Prefix, parsePrefix } from '../../net/prefix.ts'
import { parseApiCidr, parseApiIp } from '../addresses.ts'
import type { FieldPath } from '../field-path.ts'
import type { KubeObject } from '../objects/meta.ts'
import { type Checking, report } from './report.ts'

/** The address in a field; says what is wrong with it. Absent and empty are nothing to say. */
export function checkIp(
  checking: Checking,
  object: KubeObject,
  path: FieldPath,
  text: string | undefined,
): Ip | undefined {
  if (text === undefined || text === '') return undefined
  const ip = parseApiIp(text)
  if (!ip) report(checking, object, path, 'INVALID_IP', { found: text })
  else if (!parseIp(text)) report(checking, object, path, 'LEADING_ZEROS', { found: text, reads: ip })
  return ip
}

/** The same for a CIDR block, whose length must be given. */
export function checkCidr(
  checking: Checking,
  object: KubeObject,
  path: FieldPath,
  text: string | undefined,
): Prefix | undefined {
  if (text === undefined || text === '') return undefined
  const cidr = parseApiCidr(text)
  if (!cidr) {
    report(checking, object, path, 'INVALID_CIDR', { found: text })
    return undefined
  }
  const [address = '', length = ''] = text.split('/')
  const reads = formatPrefix(cidr)
  if (!parseIp(address) || !parsePrefix(text) || length !== String(cidr.length)) {
    report(checking, object, path, 'LEADING_ZEROS', { found: text, reads })
  } else if (parseIp(address) !== cidr.address) report(checking, object, path, 'HOST_BITS', { found: text, reads })
  return cidr
}
