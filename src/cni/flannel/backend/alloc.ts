import { type Backend, type BackendContext, programmed } from './backend.ts'

/** pkg/backend/alloc: takes the lease and writes subnet.env; whatever routes the subnets is not flannel's. Cloud backends
 * likewise put nothing on the host. */
export const alloc = ({ uplink }: BackendContext): Backend => nothingOnHost(uplink.mtu)

export const nothingOnHost = (mtu: number): Backend => ({
  mtu,
  base: {},
  added: () => programmed([]),
  removed: () => [],
})
