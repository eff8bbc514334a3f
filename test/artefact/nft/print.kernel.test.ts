import { describe, expect, test } from 'vitest'
import { formatNft } from '../../../src/artefact/nft/print.ts'
import { parseNft } from '../../../src/artefact/nft/read.ts'
import { inNamespace, missingTools } from '../real-tools.ts'

const missing = missingTools('nft')

/** Rules of every kind that kube-proxy, flannel, portmap, Calico and people write. */
const script = `table ip t {
  comment "about t"
  counter cc { packets 0 bytes 0; }
  set ports { type inet_service; elements = { 11,1,2,13,3,4,5,6,7,8,9,10,12 }; }
  set protos { type inet_proto; elements = { 6,17,132,1,2,4,41,47,50,51 }; }
  set nets { type ipv4_addr; flags interval; elements = { 192.168.0.1, 10.0.0.0/8, 172.16.0.1-172.16.0.9 }; }
  set seen { type ipv4_addr; flags dynamic,timeout; timeout 10800s; size 1000; }
  set marks { type mark; elements = { 0x4000, 1 }; }
  set names { type ifname; elements = { "eth0", "lo" }; }
  set pairs { type ipv4_addr . inet_service; elements = { 1.1.1.1 . 443, 2.2.2.2 . 80 comment "x y", 1.1.1.2 . 80 }; }
  map data { type ipv4_addr . inet_service : ipv4_addr . inet_service; elements = { 1.1.1.1 . 80 : 2.2.2.2 . 81 }; }
  map verdicts { type ipv4_addr . inet_proto . inet_service : verdict
    elements = { 5.6.7.8 . tcp . 80 : goto d, 1.2.3.4 . udp . 53 comment "dns" : drop, 9.9.9.9 . tcp . 443 : jump d } }
  chain c {
    ip saddr { 10.0.0.1 } accept
    ip saddr != { 10.0.0.0/8, 192.168.0.0/16 } drop
    ip daddr . meta l4proto . th dport vmap @verdicts
    ip daddr @nets meta l4proto . th dport vmap { tcp . 80 : accept, udp . 53 : drop }
    tcp dport { 80, 443, 1000-2000 } counter name "cc" accept
    ct state established,related accept
    ct state vmap { established : accept, invalid : drop }
    ct status dnat ct mark 5 accept
    mark and 0x4000 == 0 return
    mark set mark xor 0x4000
    ct mark set meta mark
    iif lo iifname "cali*" oifname != "eth*" accept
    fib saddr type local goto d comment "local"
    fib daddr type { local, broadcast } accept
    fib saddr . mark . iif oif missing drop
    numgen random mod 3 vmap { 0 : goto d , 1 : jump d , 2 : return }
    log prefix "hello " level info
    limit rate 10/minute burst 7 packets accept
    reject with icmp type host-prohibited
    tcp dport 1 reject with tcp reset
    icmp type { echo-request, echo-reply } accept
    tcp flags & (fin|syn|rst|ack) == syn accept
    ip ttl 1 ip protocol udp drop
    update @seen { ip saddr }
    add @seen { ip saddr timeout 90s counter }
    meta mark set ip saddr map { 1.1.1.1 : 0x1, 2.2.2.2 : 2 }
    notrack
  }
  chain d { comment "helper"
    reject
  }
  chain nat1 { type nat hook prerouting priority -100;
    meta l4proto tcp dnat to 1.1.1.1:80
    dnat ip to ip daddr . tcp dport map @data
    meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.244.0.10 . 9898 , 1 : 10.244.0.8 . 9898 }
    tcp dport 5 redirect to :80
  }
  chain nat2 { type nat hook postrouting priority srcnat - 5; policy accept;
    meta l4proto tcp masquerade to :1024-2048 fully-random
    snat to 1.1.1.1-1.1.1.4 persistent
  }
  chain f1 { type filter hook output priority -110; }
  chain f2 { type filter hook forward priority filter + 10; policy drop; }
  chain f3 { type filter hook prerouting priority -300; }
  chain f4 { type route hook output priority mangle; }
}
table ip6 t {
  set six { type ipv6_addr; elements = { fd00::2, fd00::1 }; }
  chain c {
    ip6 saddr fd00::/64 icmpv6 type { nd-router-advert, echo-request } accept
    ip6 daddr . meta l4proto . th dport { fd00::1 . tcp . 80, fd00::2 . udp . 8 } accept
    reject with icmpv6 type no-route
  }
  chain n { type nat hook prerouting priority dstnat; meta l4proto tcp dnat to [fd00::1]:80
  }
}
table inet x {
  chain n { type nat hook postrouting priority srcnat; ip saddr 1.1.1.1 snat to 2.2.2.2
    ip daddr == 224.0.0.0/4  return
  }
}
`

describe.skipIf(missing !== undefined)(`the real nft${missing ? ` (${missing})` : ''}`, () => {
  test('lists what we print, and takes what we print', () => {
    const { ruleset, problems } = parseNft(script)
    expect(problems).toEqual([])
    const printed = formatNft(ruleset)
    const loaded = inNamespace('cat > /run/s; nft -f /run/s && nft list ruleset', script)
    expect(loaded.stderr).toBe('')
    expect(printed).toBe(loaded.stdout)
    const again = inNamespace('cat > /run/s; nft -f /run/s && nft list ruleset', printed)
    expect(again.stdout, again.stderr).toBe(printed)
  })
})
