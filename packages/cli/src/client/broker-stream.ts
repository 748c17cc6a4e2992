/** A stream to a broker: over TCP, a Unix socket, TLS or a WebSocket. */
import { once } from 'node:events';
import { connect as connectSocket, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { createWebSocketStream, WebSocket } from 'ws';

/** TLS settings of a connection to the broker. */
export interface BrokerTls {
  /** Authorities that the broker's certificate is checked against, PEM. */
  ca: string[];
  /** Certificate of this client, PEM; null: it shows none. */
  cert: Buffer | null;
  key: Buffer | null;
  /** True when the certificate must be for the host that was asked for. */
  checksHost: boolean;
  /** The only version that is taken; null: 1.2 or 1.3. */
  version: 'TLSv1.2' | 'TLSv1.3' | null;
  alpn: string | null;
}

export interface BrokerAddress {
  host: string;
  port: number;
  /** Path of a Unix socket instead of host and port; null: none. */
  unixPath: string | null;
  /** Path of a WebSocket; null: MQTT goes over the stream itself. */
  webSocketPath: string | null;
  tls: BrokerTls | null;
}

/** Formats an address as users write it: `wss://localhost:8084/mqtt`, `/run/dunlin`. */
export function formatBroker({ host, port, unixPath, webSocketPath, tls }: BrokerAddress): string {
  if (unixPath !== null) return unixPath;
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (webSocketPath !== null) return `${tls === null ? 'ws' : 'wss'}://${place}${webSocketPath}`;
  return tls === null ? place : `mqtts://${place}`;
}

function tlsOptions(tls: BrokerTls, host: string): ConnectionOptions {
  return {
    ca: tls.ca,
    // RFC 6066: an address is no server name.
    servername: isIP(host) ? '' : host,
    ...(tls.cert === null ? {} : { cert: tls.cert }),
    ...(tls.key === null ? {} : { key: tls.key }),
    ...(tls.checksHost ? {} : { checkServerIdentity: () => undefined }),
    ...(tls.version === null ? {} : { minVersion: tls.version, maxVersion: tls.version }),
    ...(tls.alpn === null ? {} : { ALPNProtocols: [tls.alpn] }),
  };
}

/**
 * Opens a stream and waits until bytes can go over it.
 * @throws what the system, TLS or the WebSocket handshake says
 */
export async function openBrokerStream(address: BrokerAddress): Promise<Duplex> {
  const { host, port, unixPath, webSocketPath, tls } = address;
  const secure = tls === null ? {} : tlsOptions(tls, host);
  if (webSocketPath !== null) {
    const webSocket = new WebSocket(formatBroker(address), 'mqtt', { ...secure, perMessageDeflate: false });
    await once(webSocket, 'open');
    return createWebSocketStream(webSocket);
  }
  if (tls !== null) {
    const socket = connectTls({ host, port, ...secure });
    await once(socket, 'secureConnect');
    socket.setNoDelay(true);
    return socket;
  }
  const socket = unixPath === null ? connectSocket({ host, port, noDelay: true }) : connectSocket({ path: unixPath });
  await once(socket, 'connect');
  return socket;
}
