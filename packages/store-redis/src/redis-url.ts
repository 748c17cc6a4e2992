/**
 * URL of Redis:
 *
 *     redis://user:password@host:port/database               rediss:// with TLS
 *     redis+sentinel://host:port,host:port/masterName        rediss+sentinel://
 *     redis+cluster://host:port,host:port                    rediss+cluster://
 */
import { CodedError } from '@dunlin/broker/ports';
export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface RedisTarget {
  readonly kind: 'standalone' | 'sentinel' | 'cluster';
  readonly tls: boolean;
  /** Undefined: the user `default`. */
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Addresses: one with `standalone`; otherwise the servers to ask first. */
  readonly addresses: readonly Address[];
  readonly database: number;
  /** Empty unless `sentinel`. */
  readonly masterName: string;
}

/** The URL cannot be used. The message says what was given, without the password, and what is allowed. */
export class RedisUrlError extends CodedError<'redis-url'> {
  constructor(message: string) {
    super('redis-url', message);
  }
}

const allowed =
  'allowed are redis://user:password@host:port/database, redis+sentinel://host:port,host:port/masterName and ' +
  'redis+cluster://host:port,host:port, each also with rediss for TLS';
const defaultPorts = { standalone: 6379, sentinel: 26_379, cluster: 6379 };
const databaseMax = 65_535;

export function parseRedisUrl(url: string): RedisTarget {
  const match = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^/?#]*)(?:\/([^?#]*))?$/.exec(url);
  const fail = (what: string): never => {
    throw new RedisUrlError(`${what} in "${withoutPassword(url)}"; ${allowed}`);
  };
  if (match === null) return fail('not a Redis URL');
  const [, scheme, mode, credentials = '', hosts, path = ''] = match;
  const kind = (mode ?? 'standalone') as RedisTarget['kind'];
  const addresses = hosts
    .split(',')
    .map((text) => parseAddress(text, defaultPorts[kind]) ?? fail(`bad address "${text}"`));
  if (kind === 'standalone' && addresses.length > 1) fail('more than one address without +sentinel or +cluster');
  let database = 0;
  if (kind === 'standalone' && path !== '') {
    database = Number(path);
    if (!/^\d+$/.test(path) || database > databaseMax) fail(`bad database number "${path}"`);
  }
  if (kind === 'sentinel' && path === '') fail('no master name');
  if (kind === 'cluster' && path !== '') fail('a path, which Cluster has not: it has one database');
  const colon = credentials.indexOf(':');
  const user = decode(colon === -1 ? credentials : credentials.slice(0, colon), fail);
  const password = colon === -1 ? '' : decode(credentials.slice(colon + 1), fail);
  if (user !== '' && password === '') fail('a user without a password');
  return {
    kind,
    tls: scheme === 'rediss',
    user: user || undefined,
    password: password || undefined,
    addresses,
    database,
    masterName: kind === 'sentinel' ? decode(path, fail) : '',
  };
}

/** URL without its password, for messages. */
export function withoutPassword(url: string): string {
  return url.replace(/:\/\/([^@/]*)@/, (_, credentials: string) => `://${credentials.split(':')[0]}:…@`);
}

/** `host:port`, as written in a URL. */
export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseAddress(text: string, defaultPort: number): Address | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(text);
  if (match === null) return null;
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  return port >= 1 && port <= 65_535 ? { host: match[1] ?? match[2], port } : null;
}

function decode(text: string, fail: (what: string) => never): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return fail('a % that begins no escape');
  }
}
