import { describe, expect, test } from 'vitest'
import { loadManifests } from '../../../src/kube/load.ts'
import { formatProblem } from '../../../src/kube/problem.ts'

const problemsOf = (kind: string, spec: string, group = 'projectcalico.org/v3'): readonly string[] =>
  loadManifests([
    { path: 'a.yaml', text: `apiVersion: ${group}\nkind: ${kind}\nmetadata: {name: default}\nspec: {${spec}}\n` },
  ]).problems.map(formatProblem)

const ingress = (rule: string): string => `ingress: [{action: Allow, ${rule}}]`

describe("values that Calico's API server refuses", () => {
  test.each([
    ['GlobalNetworkPolicy', ingress('source: {nets: [10.0.0.0/99]}'), 'ingress[0].source.nets[0]: must be a CIDR'],
    ['GlobalNetworkPolicy', ingress('destination: {ports: [80]}'), 'ingress[0].destination.ports: needs the protocol'],
    ['GlobalNetworkPolicy', ingress('protocol: TCP, source: {ports: ["90:80"]}'), 'source.ports[0]: must be a port'],
    [
      'GlobalNetworkPolicy',
      ingress('protocol: TCP, source: {notPorts: [65536]}'),
      'source.notPorts[0]: must be a port',
    ],
    ['GlobalNetworkPolicy', ingress('protocol: 300'), 'ingress[0].protocol: must be TCP'],
    ['GlobalNetworkPolicy', ingress('notProtocol: GRE'), 'ingress[0].notProtocol: must be TCP'],
    ['GlobalNetworkPolicy', ingress('protocol: TCP, icmp: {type: 8}'), 'ingress[0].icmp: needs the protocol ICMP'],
    ['GlobalNetworkPolicy', ingress('protocol: ICMP, notICMP: {code: 0}'), 'notICMP.type: a code needs its type'],
    ['GlobalNetworkPolicy', ingress('protocol: ICMP, icmp: {type: 300}'), 'icmp.type: expected 0 to 254'],
    ['GlobalNetworkPolicy', 'selector: "app = x"', 'spec.selector: must be a selector such as'],
    ['GlobalNetworkPolicy', ingress('source: {notSelector: "has("}'), 'source.notSelector: must be a selector such as'],
    ['IPPool', 'cidr: 10.244.0.0/16, nodeSelector: "a =="', 'spec.nodeSelector: must be a selector such as'],
    ['IPPool', 'cidr: 10.244.0.0/16, blockSize: 19', 'spec.blockSize: must be 20 to 32'],
    ['IPPool', 'cidr: "fd00::/64", blockSize: 64', 'spec.blockSize: must be 116 to 128'],
    ['IPPool', 'cidr: 10.244.0.0/28', 'spec.cidr: must hold a block of /26'],
    ['IPPool', 'cidr: 10.244.0.0/16, ipipMode: Always, vxlanMode: Always', 'spec.vxlanMode: must be Never beside'],
    ['IPPool', 'cidr: "fd00::/64", ipipMode: Always', 'spec.ipipMode: must be Never in a pool of IPv6'],
    ['BGPPeer', 'peerIP: 300.1.1.1', 'spec.peerIP: must be an address, or address:port'],
    ['BGPPeer', 'peerSelector: "all("', 'spec.peerSelector: must be a selector such as'],
    ['GlobalNetworkSet', 'nets: [10.0.0.0/8, 1.2.3.4/40]', 'spec.nets[1]: must be a CIDR block'],
    ['HostEndpoint', 'node: a, interfaceName: eth0, expectedIPs: [x]', 'spec.expectedIPs[0]: must be an address'],
    ['IPAMBlock', 'cidr: 10.50.0.0/33', 'spec.cidr: must be a CIDR block'],
    ['BlockAffinity', 'cidr: junk, node: a', 'spec.cidr: must be a CIDR block'],
    ['IPReservation', 'reservedCIDRs: [junk]', 'spec.reservedCIDRs[0]: must be a CIDR block'],
    ['BGPConfiguration', 'serviceClusterIPs: [{cidr: nope}]', 'spec.serviceClusterIPs[0].cidr: must be a CIDR block'],
  ])('%s {%s}', (kind, spec, says) => {
    for (const group of ['projectcalico.org/v3', 'crd.projectcalico.org/v1']) {
      const [first, ...more] = problemsOf(kind, spec, group)
      expect(first).toMatch(`a.yaml:4: ${kind} `)
      expect(first).toContain(says)
      expect(more).toEqual([])
    }
  })

  test.each([
    ingress('protocol: 6, source: {nets: [10.0.0.1, "fd00::/8"]}, destination: {ports: [0, "80:90", web-port]}'),
    ingress('protocol: icmpv6, icmp: {type: 128}, notICMP: {type: 129, code: 0}'),
    ingress('notProtocol: UDPLite'),
  ])('nothing is wrong with {%s}', (spec) => {
    expect(problemsOf('GlobalNetworkPolicy', spec)).toEqual([])
  })

  test.each([
    'cidr: 10.244.0.0/26, blockSize: 0, ipipMode: CrossSubnet, vxlanMode: Never',
    'cidr: 10.244.0.0/29, blockSize: 29, vxlanMode: Always',
    'cidr: "fd00::/112", blockSize: 116, vxlanMode: CrossSubnet',
  ])('nor with a pool {%s}', (spec) => {
    expect(problemsOf('IPPool', spec)).toEqual([])
  })

  test.each(['10.0.0.1', '10.0.0.1:1790', 'fd00::1', '[fd00::1]:179'])('nor with the peer %s', (peer) => {
    expect(problemsOf('BGPPeer', `peerIP: '${peer}'`)).toEqual([])
  })
})
