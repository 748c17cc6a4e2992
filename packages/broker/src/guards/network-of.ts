import { parseAddress } from './address-range.ts';

/**
 * Network that an address counts for: the host without its port, and of IPv6 the network of 64 bits, which is what one
 * customer has. However an address is written, its network is the same.
 *
 * `203.0.113.7:51034` → `203.0.113.7`; `[2001:DB8:0::1]:51034` → `2001:db8:0:0::/64`; `unix` → `unix`.
 */
export function networkOf(address: string): string {
  if (!address.startsWith('[')) {
    const colon = address.lastIndexOf(':');
    return colon < 0 ? address : address.slice(0, colon);
  }
  const host = address.slice(1, address.indexOf(']'));
  const words = parseAddress(host);
  if (words === null) return host;
  // IPv4 in the form of IPv6, as a listener on `::` or a load balancer may write it: `::ffff:192.0.2.1`, `::ffff:c000:201`.
  if (words.length === 1) return [24, 16, 8, 0].map((shift) => (words[0] >>> shift) & 0xff).join('.');
  const groups = [words[0] >>> 16, words[0] & 0xffff, words[1] >>> 16, words[1] & 0xffff];
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`;
}

/** True for a client on the same machine: over loopback, or a Unix socket. */
export function isLocal(address: string): boolean {
  return address === 'unix' || /^(127\.|\[::1\]|\[::ffff:127\.|\[::ffff:7f[0-9a-f]{2}:)/.test(address);
}
