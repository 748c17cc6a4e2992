/**
 * Network that an address counts for: the host without its port, and of IPv6 the network of 64 bits, which is what one
 * customer has.
 *
 * `203.0.113.7:51034` → `203.0.113.7`; `[2001:db8::1]:51034` → `2001:db8:0:0::/64`; `unix` → `unix`.
 */
export function networkOf(address: string): string {
  if (!address.startsWith('[')) {
    const colon = address.lastIndexOf(':');
    return colon < 0 ? address : address.slice(0, colon);
  }
  const host = address.slice(1, address.indexOf(']'));
  // A listener on `::` sees IPv4 clients in this form.
  if (host.includes('.')) return host.slice(host.lastIndexOf(':') + 1);
  const [left, right] = host.split('::', 2);
  const before = left === '' ? [] : left.split(':');
  const after = right === undefined || right === '' ? [] : right.split(':');
  const between = new Array<string>(Math.max(8 - before.length - after.length, 0)).fill('0');
  return `${[...before, ...between, ...after].slice(0, 4).join(':')}::/64`;
}

/** True for a client on the same machine: over loopback, or a Unix socket. */
export function isLocal(address: string): boolean {
  return address === 'unix' || /^(127\.|\[::1\]|\[::ffff:127\.)/.test(address);
}
