/** Target of the load: an address as the user writes it, and how to open a stream to it. */
import { readFileSync } from 'node:fs';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { BenchFailure } from './bench-failure.ts';

export interface BenchTarget {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly userName: string | null;
  readonly password: string | null;
  /** A file with the certificates to trust instead of the system's. */
  readonly caFile: string | null;
}

const defaultPorts: Record<string, number> = { 'mqtt:': 1883, 'mqtts:': 8883 };

/**
 * `mqtt://host:port` or `mqtts://host:port`, with `user:password@` if need be; without a scheme it is `mqtt://`.
 * Throws a BenchFailure for anything else.
 */
export function parseTarget(address: string, caFile: string | null = null): BenchTarget {
  const text = address.includes('://') ? address : `mqtt://${address}`;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hostname === '' || !(url.protocol in defaultPorts)) {
    throw new BenchFailure(
      'BENCH_OPTION',
      `address: given '${address}', allowed: mqtt://[USER:PASSWORD@]HOST:PORT or mqtts://…`,
    );
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? defaultPorts[url.protocol] : Number(url.port),
    isTls: url.protocol === 'mqtts:',
    userName: url.username === '' ? null : decodeURIComponent(url.username),
    password: url.password === '' ? null : decodeURIComponent(url.password),
    caFile,
  };
}

/** Opens a stream; it is connected when it emits `connect` (TCP) or `secureConnect` (TLS). */
export function openStream(target: BenchTarget): Socket {
  const { host, port } = target;
  if (!target.isTls) return connectTcp({ host, port, noDelay: true });
  const servername = isIP(host) ? '' : host; // RFC 6066: an address is no server name.
  const ca = target.caFile === null ? undefined : readFileSync(target.caFile);
  const socket = connectTls({ host, port, servername, ca });
  socket.setNoDelay(true);
  return socket;
}
