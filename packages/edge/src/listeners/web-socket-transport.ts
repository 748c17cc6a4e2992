import type { Socket } from 'node:net';
import type { ClientCertificate, Connection, Transport } from '@dunlin/broker';
import type { WebSocket } from 'ws';
import { webSocketBytes } from './handshakes.ts';
import type { SocketTransport } from './socket-transport.ts';
import { framesOf, keepFrames } from './web-socket-frame.ts';
import { WebSocketProgress } from './web-socket-progress.ts';

/** Codes of close frames (RFC 6455, section 7.4.1). */
const closeCodes = { normal: 1000, unsupportedData: 1003, messageTooBig: 1009 } as const;

const transportKey = Symbol('transport');
type Owned = WebSocket & { [transportKey]: WebSocketTransport };
type OwnedSocket = Socket & { [transportKey]: WebSocketTransport };

/**
 * A WebSocket as the broker's transport. Hot path.
 *
 * `ws` makes the handshake and reads frames. What is sent goes past it: the packets that the broker has gathered in a
 * turn become binary frames in one buffer and one write of the socket below.
 */
export class WebSocketTransport implements Transport {
  private readonly webSocket: WebSocket;
  private readonly carrier: SocketTransport;
  private readonly socket: Socket;
  private readonly progress = new WebSocketProgress();
  /** Bytes that the socket has received before CONNACK. */
  private carriedBytes: number;
  private closeCode: number;

  constructor(webSocket: WebSocket, socket: Socket, carrier: SocketTransport) {
    this.webSocket = webSocket;
    this.socket = socket;
    this.carrier = carrier;
    this.carriedBytes = 0;
    this.closeCode = closeCodes.normal;
  }

  write(bytes: Buffer): boolean {
    // Behind a close frame, the client's or ours, nothing may follow (RFC 6455, section 5.5.1).
    if (this.webSocket.readyState !== this.webSocket.OPEN) return true;
    const frames = framesOf(bytes); // [MQTT-6.0.0-2]
    if (this.carrier.write(frames)) return true;
    keepFrames(frames);
    return false;
  }

  get pendingBytes(): number {
    return this.carrier.pendingBytes;
  }

  get takenBytes(): number {
    return this.carrier.takenBytes;
  }

  get remoteAddress(): string {
    return this.carrier.remoteAddress;
  }

  get ownBytes(): number {
    return this.carrier.ownBytes ?? webSocketBytes;
  }

  get listener(): string {
    return this.carrier.listener;
  }

  get clientCertificate(): ClientCertificate | null {
    return this.carrier.clientCertificate;
  }

  pause(): void {
    this.webSocket.pause();
  }

  resume(): void {
    this.webSocket.resume();
  }

  /**
   * Sends what is pending and a close frame; the socket is closed when the client has answered, or after two seconds.
   */
  end(): void {
    this.webSocket.close(this.closeCode);
  }

  /** A client that has said goodbye is owed a close frame still; a browser would call it a failure otherwise. */
  destroy(): void {
    this.end();
  }

  attach(connection: Connection): void {
    const webSocket = this.webSocket as Owned;
    webSocket[transportKey] = this;
    webSocket.on('message', onMessage);
    webSocket.on('error', onError);
    this.carrier.carry(connection);
    (this.socket as OwnedSocket)[transportKey] = this;
    this.socket.prependListener('data', onBytes);
  }

  /** Bytes of frames, before they are part of a message. */
  bytesCame(chunk: Buffer): void {
    const connection = this.carrier.connection as Connection;
    const { progress } = this;
    const wasPartial = progress.isPartial;
    const isNew = progress.push(chunk);
    if (progress.isPartial ? isNew : wasPartial) connection.carriesPartial(progress.isPartial);
    if (connection.isConnected) return;
    this.carriedBytes += chunk.length;
    this.closeCode = closeCodes.messageTooBig;
    const goesOn = connection.carried(this.carriedBytes);
    this.closeCode = closeCodes.normal;
    if (goesOn) return;
    // Nothing more becomes part of the message: what still comes is read and let go of.
    this.socket.removeAllListeners('data');
    this.carrier.end();
  }

  received(data: Buffer, isBinary: boolean): void {
    const connection = this.carrier.connection as Connection;
    if (isBinary) {
      connection.receive(data);
      return;
    }
    this.webSocket.close(closeCodes.unsupportedData);
    connection.end(); // [MQTT-6.0.0-1]
  }

  failed(error: Error): void {
    this.carrier.failed(error);
  }

  escaped(error: unknown): void {
    this.carrier.connection?.escaped(error);
  }
}

function onBytes(this: Socket, chunk: Buffer): void {
  const transport = (this as OwnedSocket)[transportKey];
  try {
    transport.bytesCame(chunk);
  } catch (error) {
    transport.escaped(error);
  }
}

function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  const transport = (this as Owned)[transportKey];
  try {
    transport.received(data as Buffer, isBinary);
  } catch (error) {
    transport.escaped(error);
  }
}

/** Frames against the rules: `ws` closes the connection with the code for it, and `close` tells the broker. */
function onError(this: WebSocket, error: Error): void {
  (this as Owned)[transportKey].failed(error);
}
