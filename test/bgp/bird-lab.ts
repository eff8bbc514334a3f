import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatBirdConfig } from '../../src/bgp/bird-config.ts'
import type { Speaker } from '../../src/bgp/speaker.ts'

/** Why real BIRD cannot run here, if so. */
export function birdMissing(): string | undefined {
  for (const tool of ['bird', 'ip', 'unshare'])
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `${tool} is not installed`
  const version = spawnSync('bird', ['--version'], { encoding: 'utf8' })
  if (!/BIRD version 2/.test(version.stderr + version.stdout)) return 'bird is not version 2'
  const netns = spawnSync('unshare', [...isolation, 'ip', 'link', 'add', 'kh0', 'type', 'bridge'])
  return netns.status === 0 ? undefined : 'no network namespaces for this user'
}

const isolation = ['-Urnmp', '--map-root-user', '--fork', '--kill-child', '--mount-proc']

/**
 * Runs one real BIRD for each speaker, each in a namespace on one bridge, with the configuration printed for it, until
 * every one has the wanted number of `proto bird` routes or 20 s are over. `setup` are commands of each namespace.
 * Everything ends with the process that the namespaces belong to.
 */
export function runBird(
  speakers: readonly Speaker[],
  wanted: readonly number[],
  setup: (i: number) => readonly string[],
): readonly (readonly string[])[] {
  const folder = mkdtempSync(join(tmpdir(), 'kh-bird-'))
  try {
    speakers.forEach((speaker, i) => {
      writeFileSync(join(folder, `${i}.conf`), formatBirdConfig(speaker))
    })
    writeFileSync(join(folder, 'lab.sh'), script(speakers, wanted, folder, setup))
    const out = execFileSync('unshare', [...isolation, 'bash', join(folder, 'lab.sh')], {
      encoding: 'utf8',
      timeout: 40_000,
    })
    const sections = out.split(/^== \d+\n/m).slice(1)
    return sections.map(routeLines)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Routes one a line; the next hops of a multipath route follow it. */
const routeLines = (listing: string): readonly string[] =>
  listing
    .replace(/\s*\n\s+/g, ' ')
    .split('\n')
    .map((l) => l.trim())
    .filter((l) => l !== '')

function script(
  speakers: readonly Speaker[],
  wanted: readonly number[],
  folder: string,
  setup: (i: number) => readonly string[],
): string {
  const nodes = speakers.map((speaker, i) =>
    [
      `ip netns add kh${i}`,
      `ip link add p${i} type veth peer name eth0 netns kh${i}`,
      `ip link set p${i} master kh0 up`,
      `ip -n kh${i} addr add ${speaker.addresses[0]}/24 dev eth0`,
      `ip -n kh${i} link set lo up`,
      `ip -n kh${i} link set eth0 up`,
      ...setup(i).map((command) => `ip -n kh${i} ${command}`),
    ].join('\n'),
  )
  return `set -e
mount -t tmpfs none /run
ip link add kh0 type bridge
ip link set kh0 up
${nodes.join('\n')}
for i in $(seq 0 ${speakers.length - 1}); do
  ip netns exec kh$i bird -f -c ${folder}/$i.conf -s ${folder}/$i.ctl 2> ${folder}/$i.log &
done
wanted=(${wanted.join(' ')})
for round in $(seq 200); do
  missing=0
  for i in $(seq 0 ${speakers.length - 1}); do
    have=$(ip -n kh$i route show proto bird | grep -vc '^\\s' || true)
    [ "$have" = "\${wanted[$i]}" ] || missing=1
  done
  [ $missing = 0 ] && break
  sleep 0.1
done
for i in $(seq 0 ${speakers.length - 1}); do
  echo "== $i"
  ip -n kh$i route show proto bird
  cat ${folder}/$i.log >&2
done
`
}
