import type { ClientCertificate, Connection, Transport } from '@dunlin/broker';
import type { WebSocket } from 'ws';
import type { SocketTransport } from './socket-transport.ts';
import { framesOf, keepFrames } from './web-socket-frame.ts';

/** Codes of close frames (RFC 6455, section 7.4.1). */
const closeCodes = { normal: 1000, unsupportedData: 1003 } as const;

const transportKey = Symbol('transport');
type Owned = WebSocket & { [transportKey]: WebSocketTransport };

/**
 * A WebSocket as the broker's transport. Hot path.
 *
 * `ws` makes the handshake and reads frames. What is sent goes past it: the packets that the broker has gathered in a
 * turn become binary frames in one buffer and one write of the socket below.
 */
export class WebSocketTransport implements Transport {
  private readonly webSocket: WebSocket;
  private readonly carrier: SocketTransport;

  constructor(webSocket: WebSocket, carrier: SocketTransport) {
    this.webSocket = webSocket;
    this.carrier = carrier;
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

  get remoteAddress(): string {
    return this.carrier.remoteAddress;
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
    this.webSocket.close(closeCodes.normal);
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
