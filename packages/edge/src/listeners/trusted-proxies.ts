import { BlockList, isIP, isIPv4 } from 'node:net';

/** Addresses and ranges of load balancers that say who their client is. */
export class TrustedProxies {
  readonly #ranges = new BlockList();

  /** `ranges`: addresses, or `10.0.0.0/8`. */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [address, bits] = range.split('/');
      const family = isIPv4(address) ? 'ipv4' : 'ipv6';
      this.#ranges.addSubnet(address, bits === undefined ? (family === 'ipv4' ? 32 : 128) : Number(bits), family);
    }
  }

  /** A listener on `::` sees clients of IPv4 as `::ffff:192.0.2.1`. */
  has(remoteAddress: string): boolean {
    const address = remoteAddress.startsWith('::ffff:') ? remoteAddress.slice('::ffff:'.length) : remoteAddress;
    return address !== '' && this.#ranges.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
  }
}

/** A peer as the rest of the program writes it: with a port, which such a header rarely has. */
function formatted(address: string, port: string): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `203.0.113.7`, `203.0.113.7:51034`, `2001:db8::7`, `[2001:db8::7]:51034`; null: none of these. */
function parsed(entry: string): { address: string; port: string } | null {
  const [, bracketed, v4, port = '0'] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const address = bracketed ?? v4 ?? entry;
  return isIP(address) === 0 ? null : { address, port };
}

/**
 * The client that `X-Forwarded-For` names: each proxy adds its own peer on the right, so it is the last entry that is no
 * trusted proxy. Null: an entry that has to be read is no address. Empty: only proxies are named, such as by a health
 * check.
 */
export function forwardedFor(header: string, trusted: TrustedProxies): string | null {
  for (const entry of header.split(',').reverse()) {
    const peer = parsed(entry.trim());
    if (peer === null) return null;
    if (!trusted.has(peer.address)) return formatted(peer.address, peer.port);
  }
  return '';
}
