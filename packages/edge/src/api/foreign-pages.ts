import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { ApiError } from './problem.ts';

/** Name in a Host header, without the port; an IPv6 address without brackets. */
function hostName(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

/**
 * Refuses what a page in a browser sends without its user's wish: a page of another origin, and one whose name was made
 * to stand for the address of this node (DNS rebinding). A name that nobody else can give to this node is safe: an
 * address, `localhost`, and those that are configured.
 * @throws ApiError
 */
export function refuseForeignPages({ headers }: IncomingMessage, hosts: ReadonlySet<string>): void {
  const host = hostName(headers.host ?? '');
  if (isIP(host) === 0 && !hosts.has(host))
    throw new ApiError(
      421,
      `Host: given "${headers.host ?? ''}", allowed: an address, ${[...hosts].join(', ')}; admin.hosts adds names`,
    );
  const { origin } = headers;
  if (origin === undefined) return;
  const own = [`http://${headers.host}`, `https://${headers.host}`];
  if (!own.includes(origin.toLowerCase()))
    throw new ApiError(403, `Origin: given "${origin.slice(0, 100)}", allowed: pages of this node`);
}
