import { constants, createHash, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  createSecureContext,
  createServer,
  DEFAULT_CIPHERS,
  type SecureContext,
  type Server,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls';
import type { ListenerTls } from '@dunlin/config';
import { handshakeFault } from './handshake-fault.ts';
import type { Refusal } from './refusal.ts';
import { formatPeer } from './socket-transport.ts';
import { hostNames, type TlsMaterial } from './tls-material.ts';

/** Time for which a client may resume its TLS session with a ticket. */
const sessionTimeoutSeconds = 2 * 3600;

/**
 * Ciphers that are left out of those of Node, of `--tls-cipher-list` or of the listener: those of TLS 1.2 that have neither forward secrecy nor a hash
 * that is still trusted. Small devices without elliptic curves keep static RSA with `AES128-GCM-SHA256` and
 * `AES128-SHA256`.
 */
const leftOut = ':!kRSA+SHA1';

/** Longest value that OpenSSL accepts. */
const sessionIdContextLength = 32;

export interface TlsStageOptions {
  tls: ListenerTls;
  material: TlsMaterial;
  /** Protocol behind TLS, as clients name it: `mqtt`, `http/1.1`. */
  protocol: string;
  handshakeTimeoutSeconds: number;
  /** `below`: the connection that carries TLS. */
  accept(socket: TLSSocket, below: Socket): void;
  refuse(refusal: Refusal): void;
}

/** Turns connections into TLS connections: versions, certificates by host name, clients' certificates, tickets. */
export class TlsStage {
  readonly #options: TlsStageOptions;
  #server: Server;
  /** Connections that were ended here; their failure was told. */
  readonly #ended = new WeakSet<Socket>();

  constructor(options: TlsStageOptions) {
    this.#options = options;
    this.#server = this.#makeServer(options.material);
  }

  /** Starts the handshake of a connection. Bytes that were read already are in the socket's own buffer. */
  enter(socket: Socket): void {
    this.#server.emit('connection', socket);
  }

  /** Ends a connection whose handshake, or its beginning, has not come in time. */
  endLate(socket: Socket): void {
    const error = { code: 'ERR_TLS_HANDSHAKE_TIMEOUT', message: '', authorizationError: null };
    this.#options.refuse({
      kind: 'handshake',
      address: formatPeer(socket),
      reason: handshakeFault(error, this.#options.tls),
    });
    this.#ended.add(socket);
    socket.destroy();
  }

  /**
   * Replaces the certificates for handshakes that begin from now on. Established connections, and handshakes in
   * progress, keep theirs.
   */
  renew(material: TlsMaterial): void {
    this.#server = this.#makeServer(material);
  }

  /**
   * Creates a server that listens nowhere: connections are given to it. With one certificate it has no SNI callback,
   * which costs each handshake a call.
   */
  #makeServer(material: TlsMaterial): Server {
    const { tls, protocol, handshakeTimeoutSeconds } = this.#options;
    const contexts = this.#contextsByName(material);
    const choose: TlsOptions['SNICallback'] = (name, answer) => answer(null, contextFor(contexts, name));
    const server = createServer({
      ...this.#contextOptions(material, 0),
      sessionTimeout: sessionTimeoutSeconds,
      ticketKeys: Buffer.from(material.ticketKeys),
      requestCert: tls.clientCertificates !== 'off',
      rejectUnauthorized: tls.clientCertificates === 'require',
      handshakeTimeout: handshakeTimeoutSeconds * 1000,
      ...(contexts.size > 0 ? { SNICallback: choose } : {}),
      // Called for clients that offer protocols. In Node, an answer without one ends the handshake; a client that
      // offers only other names (`x-amzn-mqtt-ca`) speaks MQTT all the same.
      ALPNCallback: ({ protocols }) => (protocols.includes(protocol) ? protocol : protocols[0]),
    });
    server.on('secureConnection', (socket: TLSSocket) => this.#secured(socket));
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      this.#failed(error, socket);
      socket.destroy();
    });
    return server;
  }

  /**
   * The socket below TLS knows more of a client that has gone: its address, and whether it sent anything. A probe that
   * only connects is no failure.
   */
  #failed({ code, message }: NodeJS.ErrnoException, socket: TLSSocket): void {
    const raw = below(socket);
    if (this.#ended.has(raw) || (code === 'ECONNRESET' && raw.bytesRead === 0)) return;
    const authorizationError = (socket.authorizationError as unknown as string | undefined) ?? null;
    const reason = handshakeFault({ code, message, authorizationError }, this.#options.tls);
    this.#options.refuse({ kind: 'handshake', address: formatPeer(raw), reason });
  }

  /** A ticket is valid for the authorities and lists it was verified with: its context is named after them. */
  #contextOptions({ certificates, clientCa, clientCrl }: TlsMaterial, index: number): TlsOptions {
    const { minimumVersion, sessionResumption, ciphers } = this.#options.tls;
    return {
      cert: certificates[index].cert,
      key: certificates[index].key,
      ...(clientCa === null ? {} : { ca: clientCa }),
      ...(clientCrl === null ? {} : { crl: clientCrl }),
      ciphers: `${ciphers === '' ? DEFAULT_CIPHERS : ciphers}${leftOut}`,
      minVersion: `TLSv${minimumVersion}`,
      sessionIdContext: createHash('sha256')
        .update(clientCa ?? '')
        .update(clientCrl ?? '')
        .digest('hex')
        .slice(0, sessionIdContextLength),
      ...(sessionResumption ? {} : { secureOptions: constants.SSL_OP_NO_TICKET }),
    };
  }

  /**
   * Contexts, one for each certificate, under each of its names; the first certificate that has a name gets it. Empty
   * with one: there is nothing to choose.
   */
  #contextsByName(material: TlsMaterial): Map<string, SecureContext> {
    const contexts = new Map<string, SecureContext>();
    if (material.certificates.length === 1) return contexts;
    for (const [index, { cert }] of material.certificates.entries()) {
      const context = createSecureContext(this.#contextOptions(material, index));
      for (const name of hostNames(new X509Certificate(cert))) if (!contexts.has(name)) contexts.set(name, context);
    }
    return contexts;
  }

  /**
   * Handles the end of a handshake. With `request` TLS itself lets in clients it cannot verify: a client without a
   * certificate is accepted, one with a wrong one is not.
   */
  #secured(socket: TLSSocket): void {
    const { clientCertificates } = this.#options.tls;
    const isRight =
      clientCertificates === 'off' ||
      socket.authorized ||
      (clientCertificates === 'request' && socket.getPeerX509Certificate() === undefined);
    if (isRight) {
      this.#options.accept(socket, below(socket));
      return;
    }
    const authorizationError = String(socket.authorizationError ?? 'none');
    const reason = handshakeFault({ message: '', authorizationError }, this.#options.tls);
    this.#options.refuse({ kind: 'handshake', address: formatPeer(socket), reason });
    socket.on('error', () => undefined); // no other listener remains
    socket.destroy();
  }
}

/** Context for a host; undefined: the first certificate. A wildcard stands for one label. */
function contextFor(contexts: ReadonlyMap<string, SecureContext>, serverName: string): SecureContext | undefined {
  const name = serverName.toLowerCase();
  const dot = name.indexOf('.');
  return contexts.get(name) ?? (dot > 0 ? contexts.get(`*${name.slice(dot)}`) : undefined);
}

/** Connection that carries TLS. */
function below(socket: TLSSocket): Socket {
  return (socket as TLSSocket & { _parent?: Socket | null })._parent ?? socket;
}
