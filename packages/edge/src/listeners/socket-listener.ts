import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Broker, describeBan, type Logger } from '@dunlin/broker';
import type { Listener, ListenerAddress } from '@dunlin/config';
import type { ConnectionRoom } from '../connection-room.ts';
import { events } from '../log-events.ts';
import type { Admission, Closing, Fullness } from './admission.ts';
import { HandleTransport } from './handle-transport.ts';
import { Handshakes, tlsBytes, webSocketBytes } from './handshakes.ts';
import { HelloStage } from './hello-stage.ts';
import type { Peer } from './peer.ts';
import { ProxyStage } from './proxy-stage.ts';
import { type Refusal, RefusalLog } from './refusal.ts';
import { formatPeer, SocketTransport } from './socket-transport.ts';
import { removeStaleSocket } from './stale-socket.ts';
import { acceptHandles, type StreamHandle } from './stream-handle.ts';
import type { TlsMaterial } from './tls-material.ts';
import { TlsStage } from './tls-stage.ts';
import { TlsTransport } from './tls-transport.ts';
import { TrustedProxies } from './trusted-proxies.ts';
import { WebSocketStage } from './web-socket-stage.ts';
import { WebSocketTransport } from './web-socket-transport.ts';

/**
 * Backlog of connections that wait for `accept`: enough for a reconnect storm of a few thousand clients (the system may
 * cut it, see net.core.somaxconn).
 */
const backlog = 4096;

/** Silence after which TCP probes a peer: a client without keep alive that has vanished is noticed. */
const keepAliveMilliseconds = 60_000;

/** Largest WebSocket frame of a client: it may hold several packets. */
function frameBytesMax(maximumPacketSizeBytes: number): number {
  return Math.max(2 * maximumPacketSizeBytes, 64 * 1024);
}

interface Destroyable {
  destroy(): void;
}

export interface SocketListenerOptions {
  listener: Listener;
  /** Address to listen at: the listener's own, with the port that was taken for it. */
  address: ListenerAddress;
  broker: Broker;
  logger: Logger;
  /** Result of `readTlsMaterial`; null where the listener has no TLS. */
  material: TlsMaterial | null;
  room: ConnectionRoom;
  admission: Admission;
}

/**
 * Accepts connections at one address and gives them to the broker of this thread, through the handshake stages that the
 * listener has:
 *
 * ```
 *   socket ──> ProxyStage ──> HelloStage ──> TlsStage ──> WebSocketStage ──> transport ──> broker
 *               (proxy)       (tls, wss)    (tls, wss)     (ws, wss)
 * ```
 *
 * Where there is no stage there is no socket either: the broker is given the system's handle (handle-transport.ts).
 */
export class SocketListener {
  readonly #server: Server;
  readonly #options: SocketListenerOptions;
  readonly #address: ListenerAddress;
  readonly #refusals: RefusalLog;
  readonly #proxy: ProxyStage | null;
  /** Proxies that name their client in the request for a WebSocket. */
  readonly #forwarders: TrustedProxies | null;
  readonly #hello: HelloStage | null;
  readonly #tls: TlsStage | null;
  readonly #webSocket: WebSocketStage | null;
  /** Null: the broker's client begins with the connection. */
  readonly #handshakes: Handshakes | null;
  /** Connections that are open. */
  #open = 0;
  readonly #left: () => void;
  /** Waits until none is open any more. */
  #emptied: (() => void) | null = null;
  /** Peers from PROXY headers, of connections whose TLS or WebSocket handshake is in progress. */
  readonly #peers = new Map<string, Peer>();

  constructor(options: SocketListenerOptions) {
    const { listener, address, broker } = options;
    this.#options = options;
    this.#address = address;
    this.#left = () => this.#leave();
    this.#refusals = new RefusalLog(listener.name, broker.clientLog, broker.metrics);
    this.#proxy = this.#makeProxyStage();
    const forwarders = listener.proxy === 'x-forwarded-for' ? listener.trustedProxies : null;
    this.#forwarders = forwarders === null ? null : new TrustedProxies(forwarders);
    this.#tls = this.#makeTlsStage();
    this.#hello = this.#tls === null ? null : this.#makeHelloStage(this.#tls);
    this.#webSocket = this.#makeWebSocketStage();
    const hasHandshake = this.#tls !== null || this.#webSocket !== null;
    const ownBytes = this.#tls === null ? webSocketBytes : tlsBytes;
    this.#handshakes = hasHandshake ? new Handshakes(broker, ownBytes) : null;
    const tcp = { noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMilliseconds };
    this.#server = createServer({ ...tcp, allowHalfOpen: false }, (socket) => this.#enter(socket));
  }

  get #hasStages(): boolean {
    return [this.#proxy, this.#forwarders, this.#tls, this.#webSocket].some((stage) => stage !== null);
  }

  #makeProxyStage(): ProxyStage | null {
    const { proxy, trustedProxies: trusted, handshakeTimeoutSeconds } = this.#options.listener;
    if (proxy !== 'required' || trusted === null) return null;
    return new ProxyStage({
      trusted,
      handshakeTimeoutSeconds,
      isUnix: this.#address.kind === 'unix',
      accept: (socket, peer) => this.#proxied(socket, peer),
      refuse: (refusal) => this.#refusals.add(refusal),
    });
  }

  #makeTlsStage(): TlsStage | null {
    const { listener, material, address } = this.#options;
    if (listener.tls === null || material === null) return null;
    return new TlsStage({
      tls: listener.tls,
      material,
      protocol: address.kind === 'wss' ? 'http/1.1' : 'mqtt',
      handshakeTimeoutSeconds: listener.handshakeTimeoutSeconds,
      accept: (socket, below) => {
        this.#hello?.done(below);
        this.#established(socket);
      },
      refuse: (refusal) => this.#refuseClient(refusal),
    });
  }

  #makeHelloStage(tls: TlsStage): HelloStage {
    const { listener, broker } = this.#options;
    return new HelloStage({
      turns: broker.newcomers,
      handshakeTimeoutSeconds: listener.handshakeTimeoutSeconds,
      begin: (socket) => tls.enter(socket),
      late: (socket) => tls.endLate(socket),
      refuse: (refusal) => this.#refuseClient(refusal),
    });
  }

  #makeWebSocketStage(): WebSocketStage | null {
    const { listener, address, broker } = this.#options;
    if (address.kind !== 'ws' && address.kind !== 'wss') return null;
    return new WebSocketStage({
      turns: broker.newcomers,
      paths: address.paths,
      origins: listener.origins,
      isOpenLoopback: listener.allowAnonymous && /^(127\.|::1$|localhost$)/i.test(address.host),
      frameBytesMax: frameBytesMax(broker.limits.maximumPacketSizeBytes),
      handshakeTimeoutSeconds: listener.handshakeTimeoutSeconds,
      trusted: this.#forwarders,
      announced: (socket, address) => this.#announced(socket, { address, serverName: '', clientCertificate: null }),
      accept: (webSocket, socket) => {
        const transport = new WebSocketTransport(webSocket, socket, this.#transportOf(socket));
        transport.attach(broker.accept(transport));
      },
      refuse: (refusal) => this.#refuseClient(refusal),
    });
  }

  /** Behind a load balancer the refused address is the client's. */
  #refuseClient(refusal: Refusal): void {
    this.#refusals.add({ ...refusal, address: this.#clientOf(refusal.address) });
  }

  /** Address of the client behind a peer. */
  #clientOf(peer: string): string {
    return this.#peers.get(peer)?.address || peer;
  }

  /** A connection counts until `#leave`. Returns why there is no room for it; null: there is. */
  #roomRefusal(): Pick<Refusal, 'kind' | 'reason'> | null {
    this.#open++;
    const { broker, listener, room } = this.#options;
    const hasFile = room.enter();
    if (listener.connectionsMax !== null && this.#open > listener.connectionsMax)
      return { kind: 'full', reason: 'connectionsMax is reached' };
    if (!hasFile) return { kind: 'files', reason: 'this process may open no more files: ulimit -n, LimitNOFILE=' };
    if (!broker.memory.isCritical) return null;
    return { kind: 'memory', reason: broker.memory.refusal('connections', broker.limits.memoryHighPercent) };
  }

  #leave(): void {
    this.#open--;
    this.#options.room.leave();
    if (this.#open === 0) this.#emptied?.();
  }

  /** A connection without stages: no socket is made for it. */
  #enterHandle(handle: StreamHandle): void {
    const transport = new HandleTransport(handle, this.#options.listener.name, this.#left);
    const refusal = this.#roomRefusal();
    const address = transport.remoteAddress;
    if (refusal !== null) {
      this.#refusals.add({ ...refusal, address });
      transport.destroy();
      return;
    }
    if (this.#isTurnedAway(transport, address)) return;
    handle.setNoDelay?.(true);
    handle.setKeepAlive?.(true, keepAliveMilliseconds / 1000);
    transport.attach(this.#options.broker.accept(transport));
  }

  #enter(socket: Socket): void {
    socket.once('close', this.#left);
    const refusal = this.#roomRefusal();
    if (refusal !== null) {
      this.#refusals.add({ ...refusal, address: formatPeer(socket) });
      socket.destroy();
      return;
    }
    if (this.#proxy !== null) this.#proxy.enter(socket);
    // Whom it forwards for is known, and asked about, when the request has come.
    else if (this.#forwarders?.has(socket.remoteAddress ?? '') === true) this.#entered(socket);
    else if (this.#mayEnter(socket, formatPeer(socket))) this.#entered(socket);
  }

  /** False: the address is banned or has too many connections, or there are too many clients that have not signed in; the connection is closed. */
  #mayEnter(socket: Socket, address: string): boolean {
    if (this.#isTurnedAway(socket, address)) return false;
    if (this.#handshakes === null) return true;
    const refuse = (reason: string): void => {
      this.#refusals.add({ kind: 'unsigned', address, reason });
      socket.on('error', () => undefined); // no other listener need be there
      socket.destroy();
    };
    const refused = this.#handshakes.begin(socket, address, refuse);
    if (refused !== null) refuse(refused);
    return refused === null;
  }

  #entered(socket: Socket): void {
    if (this.#hello !== null) this.#hello.enter(socket, this.#clientOf(formatPeer(socket)));
    else this.#established(socket);
  }

  /** A banned address costs no handshake, and no answer. */
  #isBanned(connection: Destroyable, address: string): boolean {
    const ban = this.#options.broker.bans.ofAddress(address);
    if (ban === null) return false;
    this.#refusals.add({ kind: 'banned', address, reason: describeBan(ban) });
    connection.destroy();
    return true;
  }

  /** By the address of the client, which may be that of a PROXY header: it costs no handshake, and no answer. */
  #isTurnedAway(connection: Closing & Destroyable, address: string): boolean {
    if (this.#isBanned(connection, address)) return true;
    const refusal = this.#options.admission.enter(connection, address, this.#fullness());
    if (refusal === null) return false;
    this.#refusals.add(refusal);
    connection.destroy();
    return true;
  }

  /** Connections and their limits; none where nobody signs in, since nobody is known there. */
  #fullness(): Fullness[] {
    const { listener, broker, room } = this.#options;
    if (listener.methods.length === 0) return [];
    const own = { open: this.#open, most: listener.connectionsMax ?? Number.POSITIVE_INFINITY };
    return [own, room.fullness, { open: broker.connectionCount + 1, most: broker.limits.connectionsMax }];
  }

  #proxied(socket: Socket, peer: Peer): void {
    if (!this.#announced(socket, peer)) return;
    this.#entered(socket);
    if (this.#tls === null) socket.resume(); // paused behind the header before
  }

  /** A trusted proxy has named its client. False: that one may not enter, and the connection is closed. */
  #announced(socket: Socket, peer: Peer): boolean {
    if (!this.#mayEnter(socket, peer.address)) return false;
    const key = formatPeer(socket);
    this.#peers.set(key, peer);
    socket.once('close', () => this.#peers.delete(key));
    const { address, serverName, clientCertificate } = peer;
    const fields = { listener: this.#options.listener.name, proxy: key, address, serverName };
    const commonName = clientCertificate?.commonName;
    this.#options.logger.debug(events[address === '' ? 'proxy.self-announced' : 'proxy.client-announced'], {
      ...fields,
      ...(commonName === undefined ? {} : { commonName }),
    });
    return true;
  }

  /** Reads the bytes of the client: MQTT, or the request for a WebSocket. */
  #established(socket: Socket): void {
    if (this.#webSocket !== null) {
      this.#webSocket.enter(socket);
      return;
    }
    const transport = this.#transportOf(socket);
    transport.attach(this.#options.broker.accept(transport));
  }

  #transportOf(socket: Socket): SocketTransport {
    const { listener } = this.#options;
    this.#handshakes?.done(socket);
    const peer = this.#peers.size === 0 ? null : (this.#peers.get(formatPeer(socket)) ?? null);
    return this.#tls === null
      ? new SocketTransport(socket, listener.name, peer)
      : new TlsTransport(socket as TLSSocket, listener.name, peer);
  }

  /** Replaces the certificates, for connections accepted from now on. */
  renewTls(material: TlsMaterial): void {
    this.#tls?.renew(material);
  }

  /**
   * @param sharePort several threads listen at the same port and the kernel spreads connections over them
   * @returns the address with the port that was taken
   * @throws what the system says: EADDRINUSE, EACCES, ENOTFOUND …
   */
  async listen(sharePort: boolean): Promise<ListenerAddress> {
    const address = this.#address;
    if (address.kind === 'unix') {
      await removeStaleSocket(address.path);
      await this.#bind({ path: address.path, backlog });
      return address;
    }
    await this.#bind({ host: address.host, port: address.port, backlog, reusePort: sharePort });
    return { ...address, port: (this.#server.address() as AddressInfo).port };
  }

  #bind(options: { path?: string; host?: string; port?: number; backlog: number; reusePort?: boolean }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(options, () => {
        this.#server.removeListener('error', reject);
        if (!this.#hasStages) acceptHandles(this.#server, (handle) => this.#enterHandle(handle));
        resolve();
      });
    });
  }

  /** Stops accepting at once. Accepted connections stay; resolves when the last of them is closed. */
  close(): Promise<void> {
    if (!this.#server.listening) return Promise.resolve();
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
      if (this.#open === 0) resolve();
    });
    return new Promise((resolve) => this.#server.close(() => resolve(emptied)));
  }
}
