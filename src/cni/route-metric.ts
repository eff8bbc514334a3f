/** What the kernel gives an IPv6 route that is made without a metric (IP6_RT_PRIO_USER). */
export const ipv6Metric = 1024
