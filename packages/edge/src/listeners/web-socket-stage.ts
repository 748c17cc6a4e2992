import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { type NewcomerTurns, newcomerCosts } from '@dunlin/broker/guards';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Refusal } from './refusal.ts';
import { formatPeer } from './socket-transport.ts';
import { forwardedFor, type TrustedProxies } from './trusted-proxies.ts';

/** The request for a WebSocket: a few hundred bytes, with the cookies of a browser some thousands. */
const requestBytesMax = 16 * 1024;

/** Time that a client has for its own close frame; then the connection is dropped. */
const closeTimeoutMilliseconds = 2000;

/** Frames of one message: each is kept as an object until the last has come, however small it is. */
const fragmentsMax = 1024;

/** The subprotocols of MQTT, the one we like better first: clients of MQTT 3.1 name it with its version. */
const subprotocols = ['mqtt', 'mqttv3.1'] as const;

/** Fault of a request: `answer` is for the client, what was given and what is allowed for the log alone. */
interface Fault {
  status: number;
  answer: string;
  given?: string;
  allowed?: string;
  headers?: readonly string[];
}

type RequestError = NodeJS.ErrnoException & { rawPacket?: Buffer };

/** The first bytes of CONNECT, and of a handshake of TLS. */
const connectByte = 0x10;
const handshakeByte = 0x16;

/** Protocol that bytes look like that are no request of HTTP. */
function protocolOf(bytes: Buffer | undefined): string {
  if (bytes?.[0] === connectByte) return 'this looks like MQTT, which is spoken here over WebSocket alone: ';
  return bytes?.[0] === handshakeByte ? 'this looks like TLS, and this listener has none: ' : '';
}

/** `close` follows. */
function ignore(): void {}

export interface WebSocketStageOptions {
  turns: NewcomerTurns;
  paths: readonly string[];
  /** Null: those whose host is the one that was asked for. */
  origins: readonly string[] | null;
  /**
   * True at a loopback address that asks nobody who they are: a page whose name was pointed at this machine meanwhile
   * (DNS rebinding) names itself as both origin and host, so without `origins` the host must be an address or localhost.
   */
  isOpenLoopback: boolean;
  /** Largest frame, or message of several frames. */
  frameBytesMax: number;
  handshakeTimeoutSeconds: number;
  /** Proxies whose `X-Forwarded-For` names the client; null: the header is not looked at. */
  trusted: TrustedProxies | null;
  /** Called with the client that a trusted proxy names. False: it may not enter, and the connection is closed. */
  announced(socket: Socket, address: string): boolean;
  accept(webSocket: WebSocket, socket: Socket): void;
  refuse(refusal: Refusal): void;
}

/** Turns HTTP requests into WebSockets: path, origin and subprotocol are checked, everything else is refused. */
export class WebSocketStage {
  readonly #options: WebSocketStageOptions;
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  /** Forgets the deadline of a request, for those that are not complete yet. */
  readonly #arrived = new WeakMap<Socket, () => void>();

  constructor(options: WebSocketStageOptions) {
    this.#options = options;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.frameBytesMax,
      maxFragments: fragmentsMax,
      closeTimeout: closeTimeoutMilliseconds,
      handleProtocols: (offered: Set<string>) => subprotocols.find((name) => offered.has(name)) ?? false,
    } as ConstructorParameters<typeof WebSocketServer>[0]);
    this.#http = createServer({ maxHeaderSize: requestBytesMax, keepAliveTimeout: 0 });
    this.#http.on('request', ({ socket }: IncomingMessage) =>
      this.#answer(socket, { status: 426, answer: 'WebSocket alone is spoken here', headers: ['Upgrade: websocket'] }),
    );
    this.#http.on('upgrade', (request: IncomingMessage, _socket, head: Buffer) => this.#upgrade(request, head));
    this.#http.on('clientError', (error: RequestError, socket: Socket) => {
      this.#refused(socket, `not a request: ${protocolOf(error.rawPacket)}${error.code ?? error.message}`);
      socket.destroy();
    });
    this.#webSockets.on('wsClientError', (error: Error, socket: Socket) =>
      this.#answer(socket, { status: 400, answer: error.message, headers: ['Sec-WebSocket-Version: 13, 8'] }),
    );
  }

  /** A connection whose request comes now, or has come in part and is in the socket's own buffer. */
  enter(socket: Socket): void {
    const { handshakeTimeoutSeconds } = this.#options;
    const late = (): void => {
      this.#refused(socket, 'no request in time');
      socket.destroy();
    };
    const timer = setTimeout(late, handshakeTimeoutSeconds * 1000);
    const closed = (): void => clearTimeout(timer);
    socket.once('close', closed);
    this.#arrived.set(socket, () => {
      clearTimeout(timer);
      socket.removeListener('close', closed);
    });
    this.#http.emit('connection', socket);
  }

  #upgrade(request: IncomingMessage, head: Buffer): void {
    const { socket } = request;
    const fault = this.#faultOf(request);
    if (fault !== null) {
      this.#answer(socket, fault);
      return;
    }
    const client = this.#forwarded(request);
    if (client === null) {
      const given = request.headers['x-forwarded-for']?.toString();
      this.#answer(socket, {
        status: 400,
        answer: 'X-Forwarded-For is no list of addresses',
        given,
        allowed: 'IP addresses',
      });
      return;
    }
    if (client !== '' && !this.#options.announced(socket, client)) return;
    const { turns } = this.#options;
    if (turns.take(newcomerCosts.webSocket)) this.#accept(request, head);
    else this.#acceptInTurn(request, head, client || formatPeer(socket));
  }

  #accept(request: IncomingMessage, head: Buffer): void {
    const { socket } = request;
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#arrived.get(socket)?.();
      this.#arrived.delete(socket);
      this.#options.accept(webSocket, socket);
    });
  }

  /** Many clients have come at once: this one is answered in a later turn, if it is still there. */
  #acceptInTurn(request: IncomingMessage, head: Buffer, address: string): void {
    const { socket } = request;
    const gone = (): void => waiting.leave();
    const waiting = this.#options.turns.wait(address, newcomerCosts.webSocket, () => {
      socket.removeListener('close', gone);
      socket.removeListener('error', ignore);
      if (!socket.destroyed) this.#accept(request, head);
    });
    socket.on('close', gone);
    socket.on('error', ignore);
  }

  /** The client that a trusted proxy names. Empty: nobody else than the peer; null: what it names is no address. */
  #forwarded({ socket, headers }: IncomingMessage): string | null {
    const { trusted } = this.#options;
    const header = headers['x-forwarded-for'];
    if (trusted === null || header === undefined || !trusted.has(socket.remoteAddress ?? '')) return '';
    return forwardedFor(header.toString(), trusted);
  }

  #faultOf({ url = '', headers }: IncomingMessage): Fault | null {
    const { paths, origins } = this.#options;
    // Not what is behind it: some clients put a token there.
    const [path] = url.split('?', 1);
    if (!paths.includes(path))
      return { status: 404, answer: 'no MQTT at this path', given: path, allowed: paths.join(', ') };
    if (!this.#admitsOrigin(headers)) {
      const allowed = origins?.join(', ') ?? 'pages of the host that is asked; others by origins of this listener';
      return { status: 403, answer: 'not from this origin', given: headers.origin, allowed };
    }
    const given = headers['sec-websocket-protocol'] ?? '';
    const offered = given.split(',').map((name) => name.trim());
    if (subprotocols.some((name) => offered.includes(name))) return null;
    const answer = `the subprotocol must be ${subprotocols.join(' or ')}`; // [MQTT-6.0.0-3]
    return { status: 400, answer, given, allowed: subprotocols.join(', ') };
  }

  /** Browsers say which page wants to connect. Programs do not, and could say anything. */
  #admitsOrigin({ origin, host }: IncomingMessage['headers']): boolean {
    if (origin === undefined) return true;
    const { origins, isOpenLoopback } = this.#options;
    if (origins !== null) return origins.includes('*') || origins.includes(origin.toLowerCase());
    const page = URL.parse(origin);
    if (page === null || page.hostname === '' || page.hostname !== URL.parse(`http://${host}`)?.hostname) return false;
    return !isOpenLoopback || page.hostname === 'localhost' || isIP(page.hostname.replace(/^\[|\]$/g, '')) !== 0;
  }

  #answer(socket: Socket, { status, answer, headers = [], given, allowed }: Fault): void {
    this.#refused(socket, `${status}: ${answer}`, allowed === undefined ? {} : { given, allowed });
    const lines = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      ...headers,
      'Content-Type: text/plain',
      `Content-Length: ${answer.length + 1}`,
      '',
      `${answer}\n`,
    ];
    socket.on('error', () => undefined); // it may be gone already
    socket.once('finish', () => socket.destroy());
    socket.end(lines.join('\r\n'));
  }

  #refused(socket: Socket, reason: string, more: Pick<Refusal, 'given' | 'allowed'> = {}): void {
    this.#options.refuse({ kind: 'handshake', address: formatPeer(socket), reason, ...more });
  }
}
