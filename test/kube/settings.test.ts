import { describe, expect, test } from 'vitest'
import { loadManifests } from '../../src/kube/load.ts'
import { formatProblem } from '../../src/kube/problem.ts'
import { baselineVersion, type ClusterSettings } from '../../src/kube/settings.ts'
import { formatPrefix, prefix } from '../../src/net/prefix.ts'

const load = (text: string, flags: Partial<ClusterSettings> = {}) => {
  const { settings, problems } = loadManifests([{ path: 'c.yaml', text }], { settings: flags })
  return {
    settings: {
      ...settings,
      podNetworks: settings.podNetworks.map(formatPrefix),
      serviceNetworks: settings.serviceNetworks.map(formatPrefix),
    },
    problems: problems.map(formatProblem),
  }
}

const configMap = (name: string, key: string, text: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: kube-system}\ndata:\n  ${key}: |\n${text.replace(/^/gm, '    ')}\n`

const staticPod = (name: string, ...flags: string[]): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}-cp, namespace: kube-system}\nspec:\n  containers:\n  - name: ${name}\n    image: registry.k8s.io/${name}:v1.31.2\n    command:\n    - ${name}\n${flags.map((f) => `    - ${f}\n`).join('')}`

const node = (name: string, ...cidrs: string[]): string =>
  `apiVersion: v1\nkind: Node\nmetadata: {name: ${name}}\nspec: {podCIDRs: [${cidrs.map((c) => `'${c}'`).join(', ')}]}\nstatus: {nodeInfo: {kubeletVersion: v1.29.4+k3s1}}\n`

const kubeadm = `apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
kubernetesVersion: v1.30.5
networking:
  podSubnet: 10.32.0.0/12,fd00:32::/48
  serviceSubnet: 172.30.0.0/16
  dnsDomain: corp.example
controllerManager:
  extraArgs:
    node-cidr-mask-size-ipv4: "26"
apiServer:
  extraArgs:
  - name: service-node-port-range
    value: 20000-22767`

describe('the settings of a cluster', () => {
  test('have defaults', () => {
    expect(load('').settings).toEqual({
      podNetworks: ['10.244.0.0/16'],
      serviceNetworks: ['10.96.0.0/12'],
      nodeMaskLength: { ipv4: 24, ipv6: 64 },
      clusterDomain: 'cluster.local',
      nodePorts: { from: 30000, to: 32767 },
      kubeVersion: baselineVersion,
    })
  })

  test.each([
    { name: 'IPv6 alone', cidrs: ['fd00:10:1::/64'], networks: ['fd00:10:96::/112'] },
    {
      name: 'both',
      cidrs: ['10.9.0.0/24', 'fd00:10:1::/64'],
      networks: ['10.96.0.0/12', 'fd00:10:96::/112'],
    },
  ])('have a default service network of each family that pods have: $name', ({ cidrs, networks }) => {
    expect(load(node('n1', ...cidrs)).settings.serviceNetworks).toEqual(networks)
  })

  test('have a default pod network of the family that Services have', () => {
    const { settings } = load('', { serviceNetworks: [prefix('fd00:1::/112')] })
    expect(settings.podNetworks).toEqual(['fd00:10:244::/56'])
  })

  test.each([
    { name: 'as a document', text: kubeadm },
    { name: 'in its ConfigMap', text: configMap('kubeadm-config', 'ClusterConfiguration', kubeadm) },
  ])('come from kubeadm, $name', ({ text }) => {
    expect(load(text)).toEqual({
      problems: [],
      settings: {
        podNetworks: ['10.32.0.0/12', 'fd00:32::/48'],
        serviceNetworks: ['172.30.0.0/16'],
        nodeMaskLength: { ipv4: 26, ipv6: 64 },
        clusterDomain: 'corp.example',
        nodePorts: { from: 20000, to: 22767 },
        kubeVersion: '1.30',
      },
    })
  })

  test.each<{ name: string; text: string; settings: Record<string, unknown> }>([
    {
      name: 'flannel, its keys in any case',
      text: configMap(
        'kube-flannel-cfg',
        'net-conf.json',
        '{"Network": "10.20.0.0/16", "subnetlen": 25, "IPv6Network": "fd00::/48"}',
      ),
      settings: { podNetworks: ['10.20.0.0/16', 'fd00::/48'], nodeMaskLength: { ipv4: 25, ipv6: 64 } },
    },
    {
      name: 'kube-proxy',
      text: configMap('kube-proxy', 'config.conf', 'kind: KubeProxyConfiguration\nclusterCIDR: 10.42.0.0/16'),
      settings: { podNetworks: ['10.42.0.0/16'] },
    },
    {
      name: "the controller manager's flags",
      text: staticPod(
        'kube-controller-manager',
        '--cluster-cidr=10.1.0.0/16',
        '--service-cluster-ip-range=10.2.0.0/16',
        '--node-cidr-mask-size=23',
      ),
      settings: {
        podNetworks: ['10.1.0.0/16'],
        serviceNetworks: ['10.2.0.0/16'],
        nodeMaskLength: { ipv4: 23, ipv6: 64 },
        kubeVersion: '1.31',
      },
    },
    {
      name: "the API server's flags, value apart",
      text: staticPod(
        'kube-apiserver',
        '--service-cluster-ip-range',
        '10.2.0.0/16,fd00:2::/108',
        '--service-node-port-range=80+10',
      ),
      settings: { serviceNetworks: ['10.2.0.0/16', 'fd00:2::/108'], nodePorts: { from: 80, to: 90 } },
    },
    {
      name: "Calico's pools, not those that are disabled",
      text: 'apiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: {name: gone}\nspec: {cidr: 10.9.0.0/16, disabled: true}\n---\napiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: {name: a}\nspec: {cidr: 192.168.0.0/16}\n',
      settings: { podNetworks: ['192.168.0.0/16'] },
    },
    {
      name: "calico-node's environment",
      text: 'apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: calico-node, namespace: kube-system}\nspec:\n  selector: {matchLabels: {k: c}}\n  template:\n    metadata: {labels: {k: c}}\n    spec:\n      containers:\n      - name: calico-node\n        env: [{name: CALICO_IPV4POOL_CIDR, value: 192.168.0.0/16}]\n',
      settings: { podNetworks: ['192.168.0.0/16'] },
    },
    {
      name: 'the podCIDRs that nodes have, where the default is another',
      text: `${node('a', '10.42.0.0/25')}---\n${node('b', '10.42.1.0/25')}`,
      settings: { podNetworks: ['10.42.0.0/16'], nodeMaskLength: { ipv4: 25, ipv6: 64 }, kubeVersion: '1.29' },
    },
    {
      name: 'nothing from podCIDRs within the default',
      text: node('a', '10.244.7.0/24'),
      settings: { podNetworks: ['10.244.0.0/16'] },
    },
    {
      name: 'IPv6 from podCIDRs, beside the IPv4 default that they are within',
      text: node('a', '10.244.7.0/24', 'fd00:10:244:7::/64'),
      settings: {
        podNetworks: ['10.244.0.0/16', 'fd00:10:244::/48'],
        serviceNetworks: ['10.96.0.0/12', 'fd00:10:96::/112'],
      },
    },
    {
      name: "the API server's own Service",
      text: 'apiVersion: v1\nkind: Service\nmetadata: {name: kubernetes}\nspec: {clusterIP: 10.43.0.1, ports: [{port: 443}]}\n',
      settings: { serviceNetworks: ['10.43.0.0/16'] },
    },
    {
      name: 'the Corefile',
      text: configMap('coredns', 'Corefile', '.:53 {\n    kubernetes corp.local in-addr.arpa ip6.arpa {\n    }\n}'),
      settings: { clusterDomain: 'corp.local' },
    },
    {
      name: 'a network of one family only, without the default of the other',
      text: configMap('kube-proxy', 'config.conf', 'clusterCIDR: fd00:42::/48'),
      settings: { podNetworks: ['fd00:42::/48'] },
    },
    {
      name: 'a small network, its nodes smaller',
      text: configMap('kube-proxy', 'config.conf', 'clusterCIDR: 10.0.0.0/24'),
      settings: { nodeMaskLength: { ipv4: 25, ipv6: 64 } },
    },
  ])('come from $name', ({ text, settings }) => {
    const loaded = load(text)
    expect(loaded.settings).toMatchObject(settings)
    expect(loaded.problems).toEqual([])
  })

  test('give way to flags', () => {
    const flags = { podNetworks: [prefix('10.7.0.0/16')], kubeVersion: '1.28' }
    expect(load(kubeadm, flags).settings).toMatchObject({ podNetworks: ['10.7.0.0/16'], kubeVersion: '1.28' })
  })

  test.each([
    {
      name: 'JSON that is cut off',
      text: configMap('kube-flannel-cfg', 'net-conf.json', '{"Network": '),
      says: 'c.yaml:5: ConfigMap kube-system/kube-flannel-cfg: data["net-conf.json"]: net-conf.json: expected a JSON or YAML map, found "{\\"Network\\":"',
    },
    {
      name: 'a network that is none',
      text: configMap('kube-flannel-cfg', 'net-conf.json', '{"Network": "10.244.0.0/33"}'),
      says: 'c.yaml:5: ConfigMap kube-system/kube-flannel-cfg: data["net-conf.json"]: Network: expected a CIDR block such as 10.244.0.0/16, found "10.244.0.0/33"',
    },
    {
      name: 'a range upside down',
      text: staticPod('kube-apiserver', '--service-node-port-range=40000-30000'),
      says: 'c.yaml:6: Pod kube-system/kube-apiserver-cp: spec.containers[0]: --service-node-port-range: expected a range such as 30000-32767, found "40000-30000"',
    },
    {
      name: 'networks that overlap',
      text: configMap('kube-proxy', 'config.conf', 'clusterCIDR: 10.100.0.0/16'),
      says: 'c.yaml:5: ConfigMap kube-system/kube-proxy: data["config.conf"]: the pod network 10.100.0.0/16 overlaps the service network 10.96.0.0/12',
    },
    {
      name: 'a node block wider than the network',
      text: configMap('kube-flannel-cfg', 'net-conf.json', '{"Network": "10.20.0.0/16", "SubnetLen": 8}'),
      says: 'c.yaml:5: ConfigMap kube-system/kube-flannel-cfg: data["net-conf.json"]: SubnetLen: expected a length from 16 to 32, within 10.20.0.0/16, found "8"',
    },
  ])('are told when wrong: $name', ({ text, says }) => {
    expect(load(text).problems).toEqual([says])
  })
})
