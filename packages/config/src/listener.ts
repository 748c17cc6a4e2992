import { isIPv4, isIPv6 } from 'node:net';
import type { AuthenticationMethod } from './access-keys.ts';
import type { CertificateFiles } from './certificate-files.ts';
import type { ClientCertificateMode, ListenerOptions, ProxyMode, Scheme, TlsVersion } from './listener-keys.ts';

/** Address at which a listener accepts connections. `port` 0: the system picks one. */
export type ListenerAddress =
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'tls'; host: string; port: number }
  // With the paths that a request for a WebSocket may name.
  | { kind: 'ws'; host: string; port: number; paths: string[] }
  | { kind: 'wss'; host: string; port: number; paths: string[] }
  | {
      kind: 'unix';
      /** Path of the socket in the file system. */
      path: string;
    };

/** Certificates and options of a listener with TLS. */
export interface ListenerTls {
  /** The first is for clients that name no host, or none of these. */
  certificates: CertificateFiles[];
  /** Empty: clients are not asked for a certificate. */
  clientCa: string;
  /** Lists of withdrawn certificates; empty: none. */
  clientCrl: string;
  clientCertificates: ClientCertificateMode;
  minimumVersion: TlsVersion;
  /** Ciphers in the words of OpenSSL; empty: the usual ones. */
  ciphers: string;
  sessionResumption: boolean;
}

/** Listener of the node, as the rest of the program sees it. */
export interface Listener {
  /** URL as written, without options. */
  url: string;
  /** Name for logs and limits; the URL unless a name was given. */
  name: string;
  address: ListenerAddress;
  /** Clients need not authenticate. */
  allowAnonymous: boolean;
  /** Methods as written; absent: as for all listeners. */
  authentication?: AuthenticationMethod[];
  /** Methods of authentication in the order in which they are tried. */
  methods: AuthenticationMethod[];
  /** Connections of one worker at this listener; null: no limit of its own. */
  connectionsMax: number | null;
  /** Time-out of each step before the first MQTT byte. */
  handshakeTimeoutSeconds: number;
  tls: ListenerTls | null;
  /** Header that says who the client is: of the PROXY protocol (`required`), or of the request for a WebSocket. */
  proxy: ProxyMode;
  /** Addresses and ranges whose header is trusted; null: no header is expected. */
  trustedProxies: string[] | null;
  /** Origins of web pages that may connect; null: the same host alone. */
  origins: string[] | null;
}

/** Listener as it may stand in the file. */
export interface ListenerInput extends ListenerOptions {
  url: string;
}

/** The ports that a URL without one means; 8083 and 8084 are where other brokers have WebSocket. */
export const defaultPorts = { tcp: 1883, tls: 8883, ws: 8083, wss: 8084 } as const;

/**
 * Paths of WebSocket unless configured; the first is the one that clients are told. MQTT.js asks for `/` where its URL
 * has no path.
 */
const defaultWebSocketPaths = ['/mqtt', '/'];

export const defaultHandshakeTimeoutSeconds = 10;

/** Longest path of a Unix socket that every system takes (`sun_path` is 104 bytes on some, with its zero byte). */
export const unixPathBytesMax = 103;

export const listenerForms =
  'tcp://HOST[:PORT], tls://HOST[:PORT], ws://HOST[:PORT][/PATH], wss://HOST[:PORT][/PATH] or unix:PATH';

const urlPattern = /^(tcp|tls|ws|wss):\/\/(\[[0-9A-Fa-f:.]+\]|[^\s:/?#[\]]+)(?::(\d{1,5}))?(\/[^\s?#]*)?$/;

/** Parses one of `listenerForms`; null: none of them. An IPv6 address stands in brackets. */
export function parseListenerUrl(url: string): ListenerAddress | null {
  if (url.startsWith('unix:')) {
    const path = url.slice('unix:'.length);
    return path.length === 0 || Buffer.byteLength(path) > unixPathBytesMax ? null : { kind: 'unix', path };
  }
  const match = urlPattern.exec(url);
  if (match === null) return null;
  const kind = match[1] as Exclude<Scheme, 'unix'>;
  const bracketed = match[2].startsWith('[');
  const host = bracketed ? match[2].slice(1, -1) : match[2];
  if (bracketed && !isIPv6(host)) return null;
  const port = match[3] === undefined ? defaultPorts[kind] : Number(match[3]);
  if (port > 65535) return null;
  if (kind === 'ws' || kind === 'wss')
    return { kind, host, port, paths: match[4] === undefined ? [...defaultWebSocketPaths] : [match[4]] };
  return match[4] === undefined || match[4] === '/' ? { kind, host, port } : null;
}

/**
 * The short form of a listener, `URL[?name=NAME&allowAnonymous=true]`: its URL, and its options as they are written.
 */
export function parseListenerText(text: string): { url: string; options: [name: string, text: string][] } {
  const mark = text.indexOf('?');
  if (mark === -1) return { url: text, options: [] };
  return { url: text.slice(0, mark), options: [...new URLSearchParams(text.slice(mark + 1))] };
}

/**
 * True when only this machine can reach the address. A host name counts only if it is `localhost`: others may resolve
 * to anything.
 */
export function isLoopback(address: ListenerAddress): boolean {
  if (address.kind === 'unix') return true;
  const host = address.host.toLowerCase();
  if (isIPv4(host)) return host.startsWith('127.');
  return host === 'localhost' || host === '::1';
}

/** The URL of an address, for logs: with the actual port. */
export function formatListenerUrl(address: ListenerAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  const host = isIPv6(address.host) ? `[${address.host}]` : address.host;
  const path = address.kind === 'ws' || address.kind === 'wss' ? address.paths[0] : '';
  return `${address.kind}://${host}:${address.port}${path}`;
}

/** The long form of a listener for the file. Values that hold only by default are left out. */
export function listenerInput(listener: Listener): ListenerInput {
  const { url, name, allowAnonymous, connectionsMax, handshakeTimeoutSeconds, tls, trustedProxies, origins } = listener;
  const input: ListenerInput = { url, name, allowAnonymous };
  if (listener.authentication !== undefined) input.authentication = listener.authentication;
  if (connectionsMax !== null) input.connectionsMax = connectionsMax;
  if (handshakeTimeoutSeconds !== defaultHandshakeTimeoutSeconds)
    input.handshakeTimeoutSeconds = handshakeTimeoutSeconds;
  if (tls !== null) {
    input.certificates = tls.certificates;
    if (tls.clientCa !== '') input.clientCa = tls.clientCa;
    if (tls.clientCrl !== '') input.clientCrl = tls.clientCrl;
    if (tls.ciphers !== '') input.ciphers = tls.ciphers;
    Object.assign(input, {
      clientCertificates: tls.clientCertificates,
      minimumTlsVersion: tls.minimumVersion,
      sessionResumption: tls.sessionResumption,
    });
  }
  if (trustedProxies !== null) Object.assign(input, { proxy: listener.proxy, trustedProxies });
  if (origins !== null) input.origins = origins;
  return input;
}
