// Runs inside namespaces of its own. Standard input: [{ rules?, nft?, sends: [{ src, sport, dst, dport, bytes }] }].
// Standard output: for each case what iptables-save -c (or nft list ruleset) and conntrack -L printed afterwards.
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'

const run = (command, args, input) =>
  execFileSync(command, args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })

// The peer stays down: packets pass POSTROUTING and go nowhere.
run(
  'ip',
  ['-batch', '-'],
  `link set lo up
link add kh0 type veth peer name kh1
link set kh0 arp off up
addr add 10.0.0.1/24 dev kh0
addr add 10.0.0.2/24 dev kh0
route add default dev kh0
`,
)

async function send({ src, sport, dst, dport, bytes }) {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  await new Promise((done) => socket.bind(sport, src, done))
  // A rule that drops makes the call fail: that is an outcome, not an error.
  await new Promise((done) => socket.send(Buffer.alloc(bytes), dport, dst, () => done()))
  await new Promise((done) => socket.close(done))
}

const answers = []
for (const { rules, nft, sends } of JSON.parse(readFileSync(0, 'utf8'))) {
  if (rules !== undefined) run('iptables-restore', [], rules)
  else {
    run('nft', ['flush', 'ruleset'])
    run('nft', ['-f', '-'], nft)
  }
  run('conntrack', ['-F'])
  for (const packet of sends) await send(packet)
  const counters = rules === undefined ? run('nft', ['list', 'ruleset']) : run('iptables-save', ['-c'])
  answers.push({ counters, connections: run('conntrack', ['-L']) })
}
process.stdout.write(JSON.stringify(answers))
