#!/bin/sh
# The first process of the user-mode kernel: file systems, modules, then the lab's observer on the console, then power off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
home=/run/kubehop
# Files that belong to root outside belong to nobody here, unless root has started this: mount, set-user-ID, would be his.
[ "${1-}" = again ] || exec setpriv --no-new-privs "$0" again
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -t tmpfs tmpfs /tmp
# The observer has a /run of its own.
mkdir /tmp/messages
mount --bind "$home/messages" /tmp/messages
stty raw -echo
# Lines on the console are answers: the kernel is to speak of its end only.
echo 1 >/proc/sys/kernel/printk
# By itself the kernel would run modprobe without the environment that keeps AVX out of the C library.
echo /bin/false >/proc/sys/kernel/modprobe

load() { modprobe -d "$home" -a -q "$@"; }
load veth bridge br_netfilter vxlan ipip tun dummy
load nf_conntrack nf_conntrack_netlink nf_nat nf_log_syslog
load iptable_filter iptable_nat iptable_mangle iptable_raw ip6table_filter ip6table_nat ip6table_mangle ip6table_raw
load ipt_REJECT ip6t_REJECT ipt_rpfilter ip6t_rpfilter nf_tables
load xt_addrtype xt_comment xt_connmark xt_conntrack xt_CT xt_limit xt_LOG xt_mac xt_mark xt_MASQUERADE xt_multiport xt_nat
load xt_NFLOG xt_physdev xt_pkttype xt_recent xt_REDIRECT xt_set xt_socket xt_statistic xt_tcpudp xt_TCPMSS xt_TPROXY
load ip_set_bitmap_port ip_set_hash_ip ip_set_hash_ipport ip_set_hash_ipportip ip_set_hash_ipportnet ip_set_hash_net
load ip_set_hash_netport ip_set_list_set
load ip_vs ip_vs_rr ip_vs_wrr ip_vs_lc ip_vs_wlc ip_vs_sed ip_vs_nq ip_vs_sh ip_vs_dh ip_vs_mh xt_ipvs

echo kubehop-ready
python3 -I "$home/observer.py" /tmp/messages
echo o >/proc/sysrq-trigger
sleep 10
