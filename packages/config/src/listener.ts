import { isIPv4, isIPv6 } from 'node:net';
import type { AuthenticationMethod } from './access-keys.ts';

/** Where a listener accepts connections. `port` 0: the system picks one. */
export type ListenerAddress =
  | { kind: 'tcp'; host: string; port: number }
  | {
      kind: 'unix';
      /** Path of the socket in the file system. */
      path: string;
    };

/** One door of the node, as the rest of the program sees it. */
export interface Listener {
  /** As written, without options. */
  url: string;
  /** For logs and limits; the URL unless a name was given. */
  name: string;
  address: ListenerAddress;
  /** Clients need not say who they are. */
  allowAnonymous: boolean;
  /** As written; absent: as for all listeners. */
  authentication?: AuthenticationMethod[];
  /** How clients prove who they are, in the order in which it is tried. */
  methods: AuthenticationMethod[];
}

/** What may stand in the file for one listener. */
export interface ListenerInput {
  url: string;
  name?: string;
  allowAnonymous?: boolean;
  authentication?: AuthenticationMethod[];
}

export const defaultMqttPort = 1883;

/** Longest path of a Unix socket that every system takes (`sun_path` is 104 bytes on some, with its zero byte). */
export const unixPathBytesMax = 103;

const tcpPattern = /^tcp:\/\/(\[[0-9A-Fa-f:.]+\]|[^\s:/?#[\]]+)(?::(\d{1,5}))?\/?$/;

/** Parses `tcp://HOST[:PORT]` or `unix:PATH`; null: neither. An IPv6 address stands in brackets. */
export function parseListenerUrl(url: string): ListenerAddress | null {
  if (url.startsWith('unix:')) {
    const path = url.slice('unix:'.length);
    return path.length === 0 || Buffer.byteLength(path) > unixPathBytesMax ? null : { kind: 'unix', path };
  }
  const match = tcpPattern.exec(url);
  if (match === null) return null;
  const bracketed = match[1].startsWith('[');
  const host = bracketed ? match[1].slice(1, -1) : match[1];
  if (bracketed && !isIPv6(host)) return null;
  const port = match[2] === undefined ? defaultMqttPort : Number(match[2]);
  return port > 65535 ? null : { kind: 'tcp', host, port };
}

/** The short form of a listener, `URL[?name=NAME&allowAnonymous=true]`, as the long one. Null: an option is unknown or wrong. */
export function parseListenerText(text: string): ListenerInput | null {
  const mark = text.indexOf('?');
  if (mark === -1) return { url: text };
  const input: ListenerInput = { url: text.slice(0, mark) };
  for (const [key, value] of new URLSearchParams(text.slice(mark + 1))) {
    if (key === 'name' && value !== '') input.name = value;
    else if (key === 'allowAnonymous' && (value === 'true' || value === 'false'))
      input.allowAnonymous = value === 'true';
    else return null;
  }
  return input;
}

/** True when only this machine can reach the address. A host name counts only if it is `localhost`: others may resolve to anything. */
export function isLoopback(address: ListenerAddress): boolean {
  if (address.kind === 'unix') return true;
  const host = address.host.toLowerCase();
  if (isIPv4(host)) return host.startsWith('127.');
  return host === 'localhost' || host === '::1';
}

/** The URL of an address, for logs: with the port that was really taken. */
export function formatListenerUrl(address: ListenerAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return isIPv6(address.host) ? `tcp://[${address.host}]:${address.port}` : `tcp://${address.host}:${address.port}`;
}
