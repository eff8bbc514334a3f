import { formatPrefix } from '../../net/prefix.ts'
import { field, isObject, type JsonObject } from '../json.ts'
import { networksIn, type SubnetEnv, subnetsOf } from './subnet-env.ts'

/** What the flannel plugin is given: the network's name and its own entry of the list. */
export interface FlannelPluginInput {
  readonly name: string
  readonly cniVersion?: string
  readonly delegate?: JsonObject
  /** The plugin's `ipam` section, merged with flannel's subnets and networks. */
  readonly ipam?: JsonObject
}

/** flannel-io/cni-plugin doCmdAdd: the configuration handed to the delegate, usually the bridge plugin. */
export function delegateConf(input: FlannelPluginInput, env: SubnetEnv): JsonObject {
  const given = input.delegate ?? {}
  const type = field(given, 'type') ?? 'bridge'
  return {
    ...(input.cniVersion ? { cniVersion: input.cniVersion } : {}),
    // One of the two masquerades: flanneld or the delegate.
    ipMasq: !env.ipMasq,
    mtu: env.mtu,
    ...(type === 'bridge' ? { isGateway: true } : {}),
    ...given,
    name: input.name,
    type,
    ipam: delegateIpam(input.ipam, env),
  }
}

/** getDelegateIPAM: the user's routes first, then each network without a gateway; one range set per family. */
export function delegateIpam(given: JsonObject | undefined, env: SubnetEnv): JsonObject {
  const routes = field(given ?? {}, 'routes')
  return {
    type: 'host-local',
    ...given,
    ranges: subnetsOf(env).map((subnet) => [{ subnet: formatPrefix(subnet) }]),
    routes: [...(Array.isArray(routes) ? routes : []), ...networksIn(env).map((dst) => ({ dst: formatPrefix(dst) }))],
  }
}

/** The flannel entry of a configuration list as the plugin reads it. */
export function flannelPluginInput(
  name: string,
  cniVersion: string | undefined,
  options: JsonObject,
): FlannelPluginInput {
  const delegate = field(options, 'delegate')
  const ipam = field(options, 'ipam')
  return {
    name,
    ...(cniVersion === undefined ? {} : { cniVersion }),
    ...(isObject(delegate) ? { delegate } : {}),
    ...(isObject(ipam) ? { ipam } : {}),
  }
}
