import { familyOf } from '../../net/ip.ts'
import { checkIp } from './address-check.ts'
import { type Checking, report } from './report.ts'

/** Addresses of EndpointSlices, of the family that the slice says; and of Endpoints. */
export function checkEndpoints(checking: Checking): void {
  for (const slice of checking.objects.list('EndpointSlice')) {
    if (slice.addressType === 'FQDN') continue
    slice.endpoints.forEach(({ addresses }, i) => {
      addresses.forEach((text, j) => {
        const path = ['endpoints', i, 'addresses', j]
        const ip = checkIp(checking, slice, path, text)
        if (!ip || familyOf(ip) === slice.addressType.toLowerCase()) return
        report(checking, slice, path, 'BAD_VALUE', { expected: `an ${slice.addressType} address`, found: text })
      })
    })
  }
  for (const endpoints of checking.objects.list('Endpoints')) {
    endpoints.subsets?.forEach((subset, i) => {
      for (const field of ['addresses', 'notReadyAddresses'] as const) {
        subset[field]?.forEach(({ ip }, j) => {
          checkIp(checking, endpoints, ['subsets', i, field, j, 'ip'], ip)
        })
      }
    })
  }
}
