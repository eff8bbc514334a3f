"""Times new TCP connections through a node namespace of the running kernel; all of it ends with this process.

Reads one JSON object from standard input: `load`, commands with their input; `rounds` and `packets` of each burst;
`bursts`, lists of destinations `[address, port]` that one burst goes round, and `bare`, those for the node before anything
is loaded. Prints one JSON object: `loadMs`, and for each burst the nanoseconds a packet, median of the rounds, in which
the bursts alternate: `ns` and `bareNs`.
"""
import ctypes, json, os, socket, struct, subprocess, sys, time

CLONE_NEWNET = 0x40000000
SOURCE = "10.244.0.250"
libc = ctypes.CDLL(None, use_errno=True)


def run(*words, text=None):
    done = subprocess.run(words, input=text, text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: {done.stderr.strip()[:400]}")


def link(netns=None, field="address"):
    words = ["ip", "-j", "-s", *(["-n", netns] if netns else []), "link", "show"]
    out = subprocess.run(words, capture_output=True, text=True).stdout
    return {device["ifname"]: device[field] for device in json.loads(out)}


def enter(path):
    with open(path) as f:
        if libc.setns(f.fileno(), CLONE_NEWNET) != 0:
            sys.exit(f"setns {path}: {os.strerror(ctypes.get_errno())}")


def build():
    """source -- node (this namespace) -- sink, which forwards nothing."""
    run("mount", "-t", "tmpfs", "none", "/run")
    for name, device, peer in (("source", "s0", "n0"), ("sink", "k0", "n1")):
        run("ip", "netns", "add", name)
        run("ip", "link", "add", peer, "type", "veth", "peer", "name", device, "netns", name)
        run("ip", "link", "set", peer, "up")
        run("ip", "-n", name, "link", "set", device, "up")
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", "192.168.50.10/24", "dev", "n1")
    run("ip", "route", "add", "10.244.0.250/32", "dev", "n0")
    run("ip", "neigh", "add", "192.168.50.1", "lladdr", link("sink")["k0"], "dev", "n1")
    run("ip", "route", "add", "10.0.0.0/8", "via", "192.168.50.1")
    for key in ("ipv4/ip_forward", "ipv4/conf/all/rp_filter", "ipv4/conf/n0/rp_filter", "netfilter/nf_conntrack_checksum"):
        try:
            with open(f"/proc/sys/net/{key}", "w") as f:
                f.write("1" if key.endswith("ip_forward") else "0")
        except OSError:
            pass


def checksum(header):
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def frame(ethernet, address, port, source_port):
    tcp = struct.pack("!HHIIBBHHH", source_port, port, 1, 0, 0x50, 2, 65535, 0, 0)
    parts = (0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6)
    ends = socket.inet_aton(SOURCE) + socket.inet_aton(address)
    bare = struct.pack("!BBHHHBBH", *parts, 0) + ends
    return ethernet + struct.pack("!BBHHHBBH", *parts, checksum(bare)) + ends + tcp


def forwarded():
    """Packets that left the node, counted in the sink."""
    return link("sink", "stats64")["k0"]["rx"]["packets"]


def main():
    asked = json.load(sys.stdin)
    build()
    ethernet = b"".join(bytes.fromhex(m.replace(":", "")) for m in (link()["n0"], link("source")["s0"])) + b"\x08\x00"
    enter_again = os.open("/proc/self/ns/net", os.O_RDONLY)  # the node, which would go with its last process
    enter("/run/netns/source")
    # A protocol that nothing sends: nothing is received.
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))
    sender.bind(("s0", 0x88B5))
    bare = measure(asked, asked["bare"], ethernet, sender)
    libc.setns(enter_again, CLONE_NEWNET)
    start = time.perf_counter()
    for words, text in asked["load"]:
        run(*words, text=text)
    loaded = (time.perf_counter() - start) * 1000
    print(json.dumps({"loadMs": loaded, "bareNs": bare, "ns": measure(asked, asked["bursts"], ethernet, sender)}))


def measure(asked, bursts, ethernet, sender):
    times = [[] for _ in bursts]
    arrived = [0 for _ in bursts]
    port = 1024
    for _ in range(asked["rounds"]):
        for n, targets in enumerate(bursts):
            frames = []
            for i in range(asked["packets"]):
                port = port + 1 if port < 65535 else 1025
                frames.append(frame(ethernet, *targets[i % len(targets)], port))
            send = sender.send
            before = forwarded()
            begin = time.perf_counter_ns()
            for f in frames:
                send(f)
            times[n].append((time.perf_counter_ns() - begin) / len(frames))
            arrived[n] += forwarded() - before
    sent = asked["rounds"] * asked["packets"]
    if min(arrived) < sent:
        sys.exit(f"not every packet went through the node: {arrived} of {sent}")
    return [sorted(t)[len(t) // 2] for t in times]


main()
