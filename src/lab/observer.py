#!/usr/bin/env python3
"""Builds a lab of network namespaces, sends probes in it and tells what the kernel did.

Runs inside a user namespace of its own (unshare -Urnm --map-root-user). Reads one JSON message a line on standard input
and answers each with one JSON line on standard output. Ends when its input ends; all that it made dies with it.
"""
import ctypes
import errno
import fcntl
import ipaddress
import json
import mmap
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
SOL_PACKET, PACKET_RX_RING, PACKET_VERSION = 263, 5, 10
BLOCK_SIZE, FRAME_SIZE, FRAMES = 1 << 16, 4096, 256
SO_RCVBUFFORCE = 33
NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
SOL_NETLINK = 270
NFNLGRP_NFTRACE = 9
MSG_ERRQUEUE = 0x2000
IP_RECVERR, IP_MTU_DISCOVER, IP_PKTINFO = 11, 10, 8
IPV6_RECVERR, IPV6_MTU_DISCOVER, IPV6_RECVPKTINFO, IPV6_PKTINFO = 25, 23, 49, 50
IPV6_UNICAST_HOPS = 16


class Within:
    """Runs a block inside a network namespace; sockets opened there stay there."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.before = os.open('/proc/thread-self/ns/net', os.O_RDONLY)
        there = os.open('/run/netns/' + self.name, os.O_RDONLY)
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), 'setns ' + self.name)
        os.close(there)

    def __exit__(self, *_):
        libc.setns(self.before, CLONE_NEWNET)
        os.close(self.before)


def run(command, text=None):
    done = subprocess.run(command, input=text, text=True, capture_output=True)
    return done.returncode, done.stdout, done.stderr


def run_within(name, command, text=None):
    return run(['nsenter', '--net=/run/netns/' + name] + command, text)


def rcvbuf(sock, size):
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


# ------------------------------------------------------------------ netlink


def attributes(data):
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from('HH', data, at)
        if length < 4:
            return
        yield kind & 0x3FFF, data[at + 4:at + length]
        at += (length + 3) & ~3


def messages(data):
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from('IH', data, at)
        if length < 16:
            return
        yield kind, data[at + 16:at + length]
        at += (length + 3) & ~3


def text_of(value):
    return value.rstrip(b'\0').decode()


VERDICTS = {0: 'drop', 1: 'accept', 2: 'stolen', 3: 'queue', 4: 'repeat', 5: 'stop'}
VERDICTS.update({0xFFFFFFFF: 'continue', 0xFFFFFFFE: 'break', 0xFFFFFFFD: 'jump', 0xFFFFFFFC: 'goto', 0xFFFFFFFB: 'return'})
TRACE_KINDS = {1: 'policy', 2: 'return', 3: 'rule'}


def trace_events(data):
    """nft trace: NFNL_SUBSYS_NFTABLES (10), NFT_MSG_TRACE (17)."""
    for kind, body in messages(data):
        if kind != (10 << 8 | 17):
            continue
        event = {'family': {1: 'inet', 2: 'ip', 10: 'ip6'}.get(body[0], str(body[0]))}
        for tag, value in attributes(body[4:]):
            if tag == 1:
                event['table'] = text_of(value)
            elif tag == 2:
                event['chain'] = text_of(value)
            elif tag == 3:
                event['handle'] = struct.unpack('!Q', value)[0]
            elif tag == 4:
                event['kind'] = TRACE_KINDS.get(struct.unpack('!I', value)[0], 'other')
            elif tag == 5:
                for inner, v in attributes(value):
                    if inner == 1:
                        event['verdict'] = VERDICTS.get(struct.unpack('!I', v)[0], 'other')
            elif tag == 6:
                event['id'] = value.hex()
            elif tag == 8:
                event['network'] = value.hex()
            elif tag == 9:
                event['transport'] = value.hex()
            elif tag == 10:
                event['iif'] = struct.unpack('!I', value)[0]
            elif tag == 12:
                event['oif'] = struct.unpack('!I', value)[0]
            elif tag == 14:
                event['mark'] = struct.unpack('!I', value)[0]
            elif tag == 16:
                event['policy'] = VERDICTS.get(struct.unpack('!I', value)[0], 'other')
        yield event


def ctnetlink(sock, message, flags):
    sock.send(struct.pack('IHHII', 20, 1 << 8 | message, flags, 1, 0) + struct.pack('BBH', 0, 0, 0))


def flush_connections(sock):
    ctnetlink(sock, 2, 1 | 4)  # IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST | NLM_F_ACK
    sock.recv(65536)


def connections(sock):
    """`conntrack -L`: IPCTNL_MSG_CT_GET with NLM_F_DUMP."""
    ctnetlink(sock, 1, 1 | 0x300)
    found = []
    while True:
        for kind, body in messages(sock.recv(1 << 20)):
            if kind in (2, 3):
                return found
            found.append(connection(body))


def connection(body):
    entry = {}
    for tag, value in attributes(body[4:]):
        if tag in (1, 2):
            entry['original' if tag == 1 else 'reply'] = tuple_of(value)
        elif tag == 3:
            status = struct.unpack('!I', value)[0]
            entry['unreplied'] = not status & 2
    return entry


def forget_neighbours(sock):
    """`ip neigh flush`: all that the kernel learned (RTM_GETNEIGH 30, RTM_DELNEIGH 29), not what was set (NUD 0x40, 0x80)."""
    learned = []
    sock.send(struct.pack('IHHIIBBHiHBB', 28, 30, 0x301, 1, 0, 0, 0, 0, 0, 0, 0, 0))
    done = False
    while not done:
        for kind, body in messages(sock.recv(1 << 20)):
            if kind in (2, 3):
                done = True
                break
            family, _, _, index, state, _, _ = struct.unpack_from('BBHiHBB', body)
            if kind == 28 and family in (socket.AF_INET, socket.AF_INET6) and not state & 0xC0:
                learned += [(family, index, v) for tag, v in attributes(body[12:]) if tag == 1]
    for family, index, address in learned:
        body = struct.pack('BBHiHBB', family, 0, 0, index, 0, 0, 0) + struct.pack('HH', 4 + len(address), 1) + address
        sock.send(struct.pack('IHHII', 16 + len(body), 29, 5, 1, 0) + body)
        sock.recv(65536)


def tuple_of(data):
    result = {'srcPort': 0, 'dstPort': 0}
    for tag, value in attributes(data):
        for inner, v in attributes(value):
            if tag == 1 and inner in (1, 3):
                result['src'] = socket.inet_ntop(socket.AF_INET if inner == 1 else socket.AF_INET6, v)
            elif tag == 1 and inner in (2, 4):
                result['dst'] = socket.inet_ntop(socket.AF_INET if inner == 2 else socket.AF_INET6, v)
            elif tag == 2 and inner == 1:
                result['protocol'] = v[0]
            elif tag == 2 and inner in (2, 4, 7):
                result['srcPort'] = struct.unpack('!H', v)[0]
            elif tag == 2 and inner == 3:
                result['dstPort'] = struct.unpack('!H', v)[0]
    return result


# ------------------------------------------------------------------ spaces


TRACE_TABLE = '''table %s khtrace {
  chain pre {
    type filter hook prerouting priority -350;
    meta nftrace set 1
  }
  chain out {
    type filter hook output priority -350;
    meta nftrace set 1
  }
}
'''


def packet_ring():
    """A packet socket of all devices of this namespace. Its ring (TPACKET_V2) has copies: of what a socket merely holds, later
    hops may overwrite the headers."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(SOL_PACKET, PACKET_VERSION, 1)
    sock.setsockopt(SOL_PACKET, PACKET_RX_RING, struct.pack('IIII', BLOCK_SIZE, FRAMES * FRAME_SIZE // BLOCK_SIZE, FRAME_SIZE, FRAMES))
    return sock, mmap.mmap(sock.fileno(), FRAMES * FRAME_SIZE)


class Space:
    """One namespace of the lab with all that listens in it: to packets, to rules, to connections."""

    def __init__(self, name, traced, counted, listen, tunnels, learning, connections):
        self.name = name
        self.counted = counted
        self.learning = learning
        self.connections = connections
        self.trace = self.conntrack = None
        self.rules = {}
        self.problems = []
        self.servers = []
        with Within(name):
            self.devices = {i: n for i, n in socket.if_nameindex()}
            self.packets, self.ring = packet_ring()
            self.routing = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
            self.routing.bind((0, 0))
            self.frame = 0
            self.tunnels = [Tunnel(wanted) for wanted in tunnels]
            for wanted in listen:
                self.open_server(*wanted)
            if traced or counted:
                self.conntrack = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
                self.conntrack.bind((0, 0))
            if traced:
                self.open_trace(traced)

    def open_trace(self, families):
        self.trace = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        rcvbuf(self.trace, 1 << 24)
        self.trace.bind((0, 0))
        self.trace.setsockopt(SOL_NETLINK, 1, NFNLGRP_NFTRACE)
        self.trace.setblocking(False)
        for family in families:
            code, _, err = run_within(self.name, ['nft', '-f', '-'], TRACE_TABLE % family)
            if code:
                self.problems.append('nft trace: ' + err.strip())
        self.read_handles()

    def read_handles(self):
        """The n-th rule with a handle in a chain is the n-th rule of the chain."""
        _, text, _ = run_within(self.name, ['nft', '-a', 'list', 'ruleset'])
        self.rules = {}
        family = table = chain = None
        for line in text.splitlines():
            head = re.match(r'table (\S+) (\S+) \{', line)
            if head:
                family, table = head[1], head[2]
            head = re.match(r'\tchain (\S+) \{', line)
            if head:
                chain, n = head[1], 0
                continue
            rule = re.search(r'# handle (\d+)$', line)
            if rule and line.startswith('\t\t'):
                n += 1
                self.rules[(family, table, chain, int(rule[1]))] = n

    def open_server(self, protocol, address, port):
        six = socket.has_ipv6 and os.path.exists('/proc/sys/net/ipv6/conf/lo') and (address is None or ':' in address)
        if six and address is None and open('/proc/sys/net/ipv6/conf/all/disable_ipv6').read().strip() == '1':
            six = False
        family = socket.AF_INET6 if six else socket.AF_INET
        kind = {'tcp': socket.SOCK_STREAM, 'udp': socket.SOCK_DGRAM}.get(protocol)
        if kind is None:
            self.problems.append('no server for %s/%d' % (protocol, port))
            return
        server = socket.socket(family, kind)
        try:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if six:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            server.bind((address or ('::' if six else ''), port))
            if protocol == 'tcp':
                server.listen(8)
            else:
                server.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
                if six:
                    server.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
            server.setblocking(False)
            self.servers.append((protocol, port, server))
        except OSError as e:
            self.problems.append('listen %s %s:%d: %s' % (protocol, address, port, e.strerror))
            server.close()

    def forget(self):
        """State that one probe leaves behind and the next would meet."""
        forget_neighbours(self.routing)
        if self.conntrack:
            try:
                flush_connections(self.conntrack)
            except OSError:
                pass
        for words in self.connections:
            code, _, err = run_within(self.name, ['conntrack', '-I'] + words)
            if code:
                raise OSError(errno.EINVAL, 'conntrack -I %s: %s' % (' '.join(words), err.strip()))
        if self.learning:
            run_within(self.name, ['nft', '-f', '-'], ''.join('flush set %s\n' % one for one in self.learning))
        with Within(self.name):
            for path in ('/proc/sys/net/ipv4/route/flush', '/proc/sys/net/ipv6/route/flush'):
                try:
                    with open(path, 'w') as f:
                        f.write('-1')
                except OSError:
                    pass
            recent = '/proc/thread-self/net/xt_recent'
            for name in os.listdir(recent) if os.path.isdir(recent) else []:
                with open(recent + '/' + name, 'w') as f:
                    f.write('/')

    def read_counters(self):
        """Packets that each rule of the IPv4 tables has matched: where no trace tells which rules a packet met."""
        _, text, _ = run_within(self.name, ['iptables-legacy-save', '-c'])
        found, places, table = {}, {}, ''
        for line in text.splitlines():
            rule = re.match(r'\[(\d+):\d+\] -A (\S+)', line)
            if line.startswith('*'):
                table = line[1:]
            elif rule:
                place = places[(table, rule[2])] = places.get((table, rule[2]), 0) + 1
                found[(table, rule[2], place)] = int(rule[1])
        return found

    def read_packets(self, into):
        while True:
            base = self.frame * FRAME_SIZE
            status, _, length, mac, _, seconds, nanoseconds = struct.unpack_from('IIIHHII', self.ring, base)
            if not status & 1:
                return
            _, _, index, hardware, kind = struct.unpack_from('HHiHB', self.ring, base + 32)
            data = self.ring[base + mac:base + mac + length]
            struct.pack_into('I', self.ring, base, 0)
            self.frame = (self.frame + 1) % FRAMES
            device = self.devices.get(index, str(index))
            at = seconds * 10 ** 9 + nanoseconds
            into.append({'at': at, 'netns': self.name, 'device': device, 'type': kind, 'hardware': hardware, 'bytes': data.hex()})

    def read_trace(self, into):
        while self.trace:
            try:
                data = self.trace.recv(1 << 20)
            except BlockingIOError:
                return
            except OSError:
                into.append({'netns': self.name, 'lost': True})
                continue
            for event in trace_events(data):
                if event.get('table') == 'khtrace':
                    continue
                event['netns'] = self.name
                handle = event.pop('handle', None)
                if handle is not None:
                    event['index'] = self.rules.get((event['family'], event.get('table'), event.get('chain'), handle), 0)
                event['in'] = self.devices.get(event.pop('iif', None))
                event['out'] = self.devices.get(event.pop('oif', None))
                into.append(event)


# ------------------------------------------------------------------ user-space tunnels

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
ERROR_TTL = 8


class Tunnel:
    """flannel's udp backend: packets between a TUN device and a UDP socket. Belongs to the namespace that it is opened in."""

    def __init__(self, wanted):
        self.address = socket.inet_aton(wanted['address'])
        self.peers = [(ipaddress.ip_network(p['subnet'], strict=False), (p['address'], p['port'])) for p in wanted['peers']]
        self.device = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.device, TUNSETIFF, struct.pack('16sH14x', wanted['device'].encode(), IFF_TUN | IFF_NO_PI))
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((wanted['local'], wanted['port']))
        self.sock.setblocking(False)

    def carry(self):
        """All that waits on either side."""
        while self.from_device() or self.from_socket():
            pass

    def from_device(self):
        try:
            packet = bytearray(os.read(self.device, 65536))
        except BlockingIOError:
            return False
        # The device is told of IPv6 neighbours as well.
        if packet[0] >> 4 != 4:
            return True
        there = ipaddress.ip_address(bytes(packet[16:20]))
        peer = next((to for subnet, to in self.peers if there in subnet), None)
        if peer is None:
            self.tell_unreachable(packet)
        elif aged(packet):
            try:
                self.sock.sendto(packet, peer)
            except OSError:
                pass  # flanneld logs it
        return True

    def from_socket(self):
        try:
            packet = bytearray(self.sock.recv(65536))
        except BlockingIOError:
            return False
        except OSError:
            return True  # an ICMP error about an earlier datagram
        if len(packet) >= 20 and aged(packet):
            self.write(packet)
        return True

    def write(self, packet):
        try:
            os.write(self.device, packet)
        except OSError:
            pass

    def tell_unreachable(self, packet):
        header = (packet[0] & 15) * 4
        if packet[9] == socket.IPPROTO_ICMP or struct.unpack('!H', packet[6:8])[0] & 0x1FFF:
            return
        quoted = bytes(packet[:header + 8])
        body = struct.pack('!BBHI', 3, 0, 0, 0) + quoted
        body = struct.pack('!BBHI', 3, 0, checksum(body), 0) + quoted
        head = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(body), 0, 0, ERROR_TTL, socket.IPPROTO_ICMP, 0)
        head += self.address + bytes(packet[12:16])
        self.write(head[:10] + struct.pack('!H', checksum(head)) + head[12:] + body)


def aged(packet):
    """Takes one from the TTL; false once there is none left."""
    packet[8] -= 1
    header = (packet[0] & 15) * 4
    packet[10:12] = b'\0\0'
    packet[10:12] = struct.pack('!H', checksum(bytes(packet[:header])))
    return packet[8] > 0


# ------------------------------------------------------------------ probes


def icmp_error(sock):
    """What the socket's error queue holds: sock_extended_err and the address that it came from."""
    try:
        _, ancillary, _, _ = sock.recvmsg(65536, 1024, MSG_ERRQUEUE)
    except OSError:
        return None
    for level, kind, value in ancillary:
        if (level, kind) not in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
            continue
        number, origin, icmp_type, code, _, info, _ = struct.unpack('IBBBBII', value[:16])
        who = None
        if origin == 2 and len(value) >= 24:
            who = socket.inet_ntop(socket.AF_INET, value[20:24])
        elif origin == 3 and len(value) >= 40:
            who = socket.inet_ntop(socket.AF_INET6, value[24:40])
        return {'errno': errno.errorcode.get(number, str(number)), 'origin': origin, 'type': icmp_type, 'code': code, 'info': info, 'from': who}
    return None


def checksum(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Client:
    def __init__(self, probe):
        self.probe = probe
        self.six = ':' in probe['dst']
        family = socket.AF_INET6 if self.six else socket.AF_INET
        protocol = probe['protocol']
        if protocol == 'tcp':
            self.sock = socket.socket(family, socket.SOCK_STREAM)
        elif protocol == 'udp':
            self.sock = socket.socket(family, socket.SOCK_DGRAM)
        else:
            self.sock = socket.socket(family, socket.SOCK_RAW, socket.getprotobyname('ipv6-icmp' if self.six else 'icmp'))
        self.options()
        self.result = {}

    def options(self):
        s, p = self.sock, self.probe
        s.setblocking(False)
        if self.six:
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_UNICAST_HOPS, p['ttl'])
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, 2 if p['df'] else 0)
        else:
            s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, p['ttl'])
            if p['protocol'] != 'tcp':
                s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, 2 if p['df'] else 0)
        if p['protocol'] in ('tcp', 'udp'):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(('::' if self.six else '', p['srcPort']))
        if p['protocol'] == 'tcp':
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))

    def send(self):
        p = self.probe
        try:
            self.sock.connect((p['dst'], p.get('dstPort') or 0))
            if p['protocol'] == 'udp':
                self.sock.send(b'x' * p['size'])
            elif p['protocol'] == 'icmp':
                self.sock.send(self.echo())
        except BlockingIOError:
            pass
        except OSError as e:
            self.result['sent'] = errno.errorcode.get(e.errno, str(e.errno))

    def echo(self):
        body = b'x' * self.probe['size']
        head = struct.pack('!BBHHH', 128 if self.six else 8, 0, 0, self.probe['srcPort'], 1)
        if self.six:
            return head + body
        return struct.pack('!BBHHH', 8, 0, checksum(head + body), self.probe['srcPort'], 1) + body

    def poll(self):
        """Reads what came back; true once it is known."""
        if self.result:
            return True
        protocol = self.probe['protocol']
        queued = icmp_error(self.sock)
        if queued and queued['origin'] in (2, 3):
            self.result['icmp'] = queued
            return True
        try:
            if protocol == 'tcp':
                return self.poll_tcp(queued)
            data = self.sock.recv(65536)
            if protocol == 'udp':
                self.result['answer'] = len(data)
            else:
                self.read_echo(data)
        except BlockingIOError:
            return False
        except OSError as e:
            self.result['error'] = errno.errorcode.get(e.errno, str(e.errno))
            self.read_late_error()
        return bool(self.result)

    def read_late_error(self):
        """An ICMP error that came between looking into the queue and asking the socket."""
        late = icmp_error(self.sock)
        if late and late['origin'] in (2, 3):
            self.result['icmp'] = late

    def poll_tcp(self, queued):
        number = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self.result['error'] = errno.errorcode.get(number, str(number))
            self.read_late_error()
            return True
        try:
            self.sock.getpeername()
        except OSError:
            return False
        self.result['answer'] = 0
        return True

    def read_echo(self, data):
        body = data if self.six else data[(data[0] & 15) * 4:]
        reply = 129 if self.six else 0
        if len(body) >= 8 and body[0] == reply and struct.unpack('!H', body[4:6])[0] == self.probe['srcPort']:
            self.result['answer'] = len(body) - 8


class Lab:
    def __init__(self):
        self.spaces = {}
        self.open = []

    def hello(self, _):
        private_mounts()
        kinds, nft, ipvs = lacking()
        # Rules are traced by nft; a kernel without it has the old tables, whose rules are counted.
        wanted = ['ip', 'bridge', 'sysctl', 'nsenter'] + (['iptables-legacy-restore', 'iptables-legacy-save'] if nft and which('nft') else ['nft', 'iptables-restore'])
        tools = [t for t in wanted if not which(t)]
        backend = 'legacy' if nft else 'nft'
        for variable, tool in (('IPTABLES_RESTORE', 'iptables'), ('IP6TABLES_RESTORE', 'ip6tables')):
            exact = '%s-%s-restore' % (tool, backend)
            os.environ[variable] = exact if which(exact) else tool + '-restore'
        restore = os.environ['IPTABLES_RESTORE']
        _, version, _ = run([restore, '--version']) if which(restore) else (1, '', '')
        return {'nft': nft, 'ipvs': ipvs, 'missing': tools, 'kernel': os.uname().release, 'iptables': version.strip(), 'kinds': kinds, 'conntrack': which('conntrack')}

    def build(self, message):
        code, _, err = run(['sh', '-s'], message['script'])
        return {'ok': code == 0, 'error': err.strip()}

    def observe(self, message):
        for name in message['spaces']:
            await_ports(name)
        for name, how in message['spaces'].items():
            self.spaces[name] = Space(name, how.get('trace'), how['count'], how['listen'], how['tunnels'], how['learning'], how['connections'])
        return {'problems': {n: s.problems for n, s in self.spaces.items() if s.problems}}

    def restore(self, message):
        """Other rules in place of those that are loaded; tables that the text does not name stay."""
        tool = os.environ['IPTABLES_RESTORE' if message['family'] == 'ipv4' else 'IP6TABLES_RESTORE']
        code, _, err = run_within(message['netns'], [tool], message['rules'])
        self.spaces[message['netns']].read_handles()
        return {'ok': code == 0, 'error': err.strip()}

    def servers(self, message):
        code, _, err = run_within(message['netns'], ['ipvsadm', '-R'], message['lines'])
        return {'ok': code == 0, 'error': err.strip()}

    def replace(self, message):
        """Single nft rules in place of those that are loaded; everything keeps its order."""
        space = self.spaces[message['netns']]
        handles = {(family, table, chain, n): handle for (family, table, chain, handle), n in space.rules.items()}
        lines = []
        for family, table, chain, n, text in message['rules']:
            lines.append('replace rule %s %s %s handle %d %s' % (family, table, chain, handles[(family, table, chain, n)], text))
        code, _, err = run_within(message['netns'], ['nft', '-f', '-'], '\n'.join(lines) + '\n')
        space.read_handles()
        return {'ok': code == 0, 'error': err.strip()}

    def probe(self, message):
        self.settle()
        for space in self.spaces.values():
            space.forget()
        packets, trace, served = [], [], []
        before = {n: s.read_counters() for n, s in self.spaces.items() if s.counted}
        with Within(message['netns']):
            try:
                client = Client(message)
            except OSError as e:
                return {'failed': 'socket: %s' % e.strerror}
            client.send()
        self.watch(client, message, packets, trace, served)
        if not client.result:
            client.sock.close()  # it would ask again, and be counted
        matched = {n: counted_since(before[n], self.spaces[n].read_counters()) for n in before}
        found = {n: connections(s.conntrack) for n, s in self.spaces.items() if s.conntrack}
        client.sock.close()
        for sock in self.open:
            sock.close()
        self.open = []
        return {'result': client.result, 'packets': packets, 'trace': trace, 'served': served, 'connections': found, 'matched': matched}

    def watch(self, client, message, packets, trace, served):
        poller = select.poll()
        for space in self.spaces.values():
            poller.register(space.packets, select.POLLIN)
            for _, _, server in space.servers:
                poller.register(server, select.POLLIN)
            for tunnel in space.tunnels:
                poller.register(tunnel.device, select.POLLIN)
                poller.register(tunnel.sock, select.POLLIN)
        poller.register(client.sock, select.POLLIN | select.POLLERR)
        start = last = time.monotonic()
        while True:
            seen = len(packets)
            self.carry()
            for space in self.spaces.values():
                space.read_packets(packets)
                space.read_trace(trace)
            self.serve(served)
            known = client.poll()
            now = time.monotonic()
            if len(packets) > seen:
                last = now
            # A SYN is sent again after a second: by then the first must have been judged.
            patience = message['settled'] if known else message['quiet']
            if now - last > patience or now - start > message['limit']:
                return
            if known:
                time.sleep(message['settled'] / 3)
            else:
                poller.poll(max(1, int(patience * 1000 / 4)))

    def carry(self):
        for space in self.spaces.values():
            for tunnel in space.tunnels:
                tunnel.carry()

    def serve(self, served):
        for space in self.spaces.values():
            for protocol, port, server in space.servers:
                try:
                    told = self.accept(server) if protocol == 'tcp' else answer(server)
                except (BlockingIOError, OSError):
                    continue
                served.append({'netns': space.name, 'protocol': protocol, **told})

    def accept(self, server):
        sock, peer = server.accept()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.open.append(sock)
        local = sock.getsockname()
        return {'local': plain(local[0]), 'localPort': local[1], 'peer': plain(peer[0]), 'peerPort': peer[1]}

    def settle(self):
        """Lets what the last probe left behind pass, and throws it away."""
        for _ in range(20):
            time.sleep(0.002)
            packets, trace = [], []
            self.carry()
            for space in self.spaces.values():
                space.read_packets(packets)
                space.read_trace(trace)
            self.serve([])
            if not packets:
                return


def counted_since(before, after):
    return [[table, chain, place, packets - before.get((table, chain, place), 0)] for (table, chain, place), packets in after.items() if packets != before.get((table, chain, place), 0)]


def plain(address):
    return address[7:] if address.startswith('::ffff:') and '.' in address else address


def answer(server):
    """As many bytes back, from the address that was asked."""
    data, ancillary, _, peer = server.recvmsg(65536, 256)
    local, back = '', []
    for level, kind, value in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            local = socket.inet_ntop(socket.AF_INET, value[8:12])
            back = [(socket.IPPROTO_IP, IP_PKTINFO, struct.pack('I', 0) + value[8:12] + b'\0' * 4)]
        elif (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO):
            local = plain(socket.inet_ntop(socket.AF_INET6, value[:16]))
            back = back or [(socket.IPPROTO_IPV6, IPV6_PKTINFO, value[:16] + struct.pack('I', 0))]
    told = {'local': local, 'localPort': server.getsockname()[1], 'peer': plain(peer[0]), 'peerPort': peer[1]}
    try:
        server.sendmsg([data], back, 0, peer)
    except OSError as e:
        told['error'] = errno.errorcode.get(e.errno, str(e.errno))
    return told


def await_ports(name):
    """A bridge port forwards once the kernel has noticed its carrier, up to a second later."""
    for _ in range(300):
        _, text, _ = run(['bridge', '-n', name, 'link', 'show'])
        ports = [line for line in text.splitlines() if ',UP' in line or '<UP' in line]
        if all('state forwarding' in line for line in ports):
            return
        time.sleep(0.01)


def read_file(name):
    """A message whose name was told: it lies in the directory that the command line names."""
    with open(os.path.join(sys.argv[1], name[1:])) as f:
        return f.read()


def which(tool):
    return any(os.access(os.path.join(d, tool), os.X_OK) for d in os.environ.get('PATH', '').split(':'))


def private_mounts():
    """A /run and a /sys of our own: names of namespaces and lock files stay among us."""
    run(['mount', '--make-rprivate', '/'])
    for command in (['mount', '-t', 'tmpfs', 'tmpfs', '/run'], ['mount', '-t', 'sysfs', 'sysfs', '/sys']):
        run(command)
    os.makedirs('/run/netns', exist_ok=True)


def lacking():
    """Kinds of device that this kernel cannot make; why there is no nft, no IPVS (None where there is)."""
    run(['ip', 'netns', 'add', 'khprobe'])
    wanted = {'veth': [], 'bridge': [], 'vxlan': ['id', '1', 'dstport', '8472'], 'ipip': ['remote', '192.0.2.1', 'local', '192.0.2.2'], 'dummy': []}
    lacking = []
    for kind, more in wanted.items():
        code, _, _ = run(['ip', '-n', 'khprobe', 'link', 'add', 'khtry', 'type', kind] + more)
        if code:
            lacking.append(kind)
        run(['ip', '-n', 'khprobe', 'link', 'del', 'khtry'])
    if not os.path.exists('/dev/net/tun') or run(['ip', '-n', 'khprobe', 'tuntap', 'add', 'dev', 'khtry', 'mode', 'tun'])[0]:
        lacking.append('tun')
    nft = refusal('nft', ['add', 'table', 'ip', 'khtry'])
    ipvs = refusal('ipvsadm', ['-A', '-t', '192.0.2.1:1', '-s', 'rr'])
    run(['ip', 'netns', 'del', 'khprobe'])
    return lacking, nft, ipvs


def refusal(tool, arguments):
    if not which(tool):
        return 'the tool %s is missing' % tool
    code, _, err = run_within('khprobe', [tool] + arguments)
    return None if code == 0 else 'this kernel has none'


def main():
    # PR_SET_PDEATHSIG: whoever started this must not leave it behind.
    libc.prctl(1, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ['PATH'] = os.environ.get('PATH', '') + ':/usr/sbin:/sbin'
    lab = Lab()
    for line in sys.stdin:
        message = json.loads(line if line.startswith('{') else read_file(line.strip()))
        try:
            reply = getattr(lab, message['do'])(message)
        except Exception as e:  # told, not died of: the other side decides
            reply = {'failed': '%s: %s' % (type(e).__name__, e)}
        sys.stdout.write(json.dumps(reply) + '\n')
        sys.stdout.flush()


main()
