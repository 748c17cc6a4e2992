import type { Socket } from 'node:net';
import type { Peer } from './peer.ts';
import { type ProxyHeader, parseProxyHeader } from './proxy-header.ts';
import type { Refusal } from './refusal.ts';
import { formatPeer } from './socket-transport.ts';
import { TrustedProxies } from './trusted-proxies.ts';

export interface ProxyStageOptions {
  /** Addresses and ranges of load balancers. */
  trusted: readonly string[];
  handshakeTimeoutSeconds: number;
  /** Connections of a Unix socket have no address. */
  isUnix: boolean;
  accept(socket: Socket, peer: Peer): void;
  refuse(refusal: Refusal): void;
}

/** Reads the PROXY header before anything else. The bytes behind it stay in the socket's own buffer. */
export class ProxyStage {
  readonly #options: ProxyStageOptions;
  readonly #trusted: TrustedProxies;

  constructor(options: ProxyStageOptions) {
    this.#options = options;
    this.#trusted = new TrustedProxies(options.trusted);
  }

  enter(socket: Socket): void {
    if (socket.remoteAddress === undefined && !this.#options.isUnix) {
      // Reset before it was accepted, as HAProxy's health check of a port does: no request is open.
      socket.on('error', ignore);
      socket.destroy();
      return;
    }
    if (!this.#trusted.has(socket.remoteAddress ?? '')) {
      this.#refuse(socket, 'not from a trusted proxy');
      return;
    }
    let held: Buffer = Buffer.alloc(0);
    const leave = (): void => {
      clearTimeout(timer);
      socket.removeListener('data', onData);
      socket.removeListener('close', onClose);
      socket.removeListener('error', ignore);
    };
    const onData = (chunk: Buffer): void => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const parsed = parseProxyHeader(held);
      if (parsed.kind === 'incomplete') return;
      leave();
      if (parsed.kind === 'invalid') {
        this.#refuse(socket, parsed.reason);
        return;
      }
      socket.pause();
      if (held.length > parsed.length) socket.unshift(held.subarray(parsed.length));
      this.#options.accept(socket, peerOf(parsed.header));
    };
    const onClose = (): void => {
      leave();
      if (held.length > 0) this.#refuse(socket, 'closed within the PROXY header');
    };
    const timer = setTimeout(() => {
      leave();
      this.#refuse(socket, 'no PROXY header in time');
    }, this.#options.handshakeTimeoutSeconds * 1000);
    socket.on('data', onData);
    socket.on('close', onClose);
    socket.on('error', ignore);
  }

  #refuse(socket: Socket, reason: string): void {
    this.#options.refuse({ kind: 'proxy', address: formatPeer(socket), reason });
    socket.on('error', ignore);
    socket.destroy();
  }
}

/** `close` follows and reports it. */
function ignore(): void {}

/** Certificate that the load balancer has verified; its header has only the name. */
function peerOf({ address, serverName, commonName }: ProxyHeader): Peer {
  const clientCertificate =
    commonName === null ? null : { commonName, subjectAltNames: [], fingerprint: '', expiresAt: 0, revocationName: '' };
  return { address, serverName, clientCertificate };
}
