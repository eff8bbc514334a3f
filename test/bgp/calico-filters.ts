import type { Filter, Statement } from '../../src/bgp/filter.ts'
import type { Prefix } from '../../src/net/prefix.ts'

const net = (op: '=' | '~', prefix: Prefix, statement: Statement): Statement => ({
  kind: 'if',
  when: { kind: 'net', op, prefix },
  do: [statement],
})

const accept: Statement = { kind: 'accept' }
const reject: Statement = { kind: 'reject' }

/** What Calico's nodes export: own blocks as a whole, anything else of the pools, and nothing more. */
export const calicoExport = (ownBlocks: readonly Prefix[], pools: readonly Prefix[]): Filter => [
  {
    kind: 'call',
    name: 'calico_export_to_bgp_peers',
    body: [
      {
        kind: 'if',
        when: { kind: 'peer', type: 'ibgp' },
        do: [{ kind: 'if', when: { kind: 'ifname', pattern: '*.calico' }, do: [reject] }],
      },
      {
        kind: 'call',
        name: 'calico_aggr',
        body: ownBlocks.flatMap((b) => [net('=', b, accept), net('~', b, reject)]),
      },
      ...pools.map((p) => net('~', p, accept)),
    ],
  },
  reject,
]

const highest = 2147483647

/** Since 3.32 the kernel metric travels in LOCAL_PREF. */
export const metricToLocalPref: Filter = [
  {
    kind: 'if',
    when: {
      kind: 'and',
      of: [
        { kind: 'source', is: 'bgp' },
        { kind: 'defined', attribute: 'bgp_local_pref' },
      ],
    },
    do: [{ kind: 'set', attribute: 'krt_metric', value: { minuend: highest, minus: 'bgp_local_pref' } }],
    else: [
      {
        kind: 'if',
        when: { kind: 'not', condition: { kind: 'defined', attribute: 'krt_metric' } },
        do: [{ kind: 'set', attribute: 'krt_metric', value: 1024 }],
      },
      { kind: 'set', attribute: 'bgp_local_pref', value: { minuend: highest, minus: 'krt_metric' } },
    ],
  },
]

export const kernelMetric: Filter = [
  {
    kind: 'if',
    when: {
      kind: 'and',
      of: [
        { kind: 'source', is: 'bgp' },
        { kind: 'not', condition: { kind: 'defined', attribute: 'krt_metric' } },
      ],
    },
    do: [
      { kind: 'set', attribute: 'krt_metric', value: 1024 },
      {
        kind: 'if',
        when: { kind: 'defined', attribute: 'bgp_local_pref' },
        do: [{ kind: 'set', attribute: 'krt_metric', value: { minuend: highest, minus: 'bgp_local_pref' } }],
      },
    ],
  },
  accept,
]

/** CrossSubnet: neighbours of the own subnet without the tunnel, all others through it. */
export const crossSubnet = (subnet: Prefix, pool: Prefix): Filter => [
  {
    kind: 'if',
    when: { kind: 'net', op: '~', prefix: pool },
    do: [
      {
        kind: 'if',
        when: { kind: 'next hop in', prefix: subnet },
        do: [{ kind: 'set tunnel', device: '' }],
        else: [{ kind: 'set tunnel', device: 'tunl0' }],
      },
      accept,
    ],
  },
  accept,
]
