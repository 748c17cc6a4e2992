import type { Socket } from 'node:net';
import type { ClientCertificate, Connection, Transport } from '@dunlin/broker';
import type { Peer } from './peer.ts';

/**
 * A TCP or Unix socket as the broker's transport. Hot path.
 *
 * Measured with 18,000 idle sockets: 2.7 KiB of resident memory each with listeners that all sockets share and find their transport through
 * a property, 3.2 KiB with a set of closures for each. A `data` event goes straight to the connection, as in the bare forwarder that is the
 * yardstick; whether the kernel took all of a write is read from `writableLength`, which costs no callback.
 */

/** A closing client has this long to take what is pending and to close its side; then the socket is destroyed. */
export const endTimeoutMilliseconds = 2000;

const transportKey = Symbol('transport');
type Owned = Socket & { [transportKey]: SocketTransport };

const nothing = Buffer.alloc(0);

export class SocketTransport implements Transport {
  readonly listener: string;
  /** Set right after the broker has accepted the transport, before any event of the socket can come. */
  connection: Connection | null;
  protected readonly socket: Socket;
  /** Null: nobody stands between us and the client. */
  private readonly peer: Peer | null;
  private address: string;
  private error: Error | undefined;
  protected waitsForDrain: boolean;
  /** Bytes of the one write that went past the buffer and that the kernel has not taken whole. */
  private directBytes: number;
  private inWrite: boolean;
  private readonly written: (error?: Error | null) => void;
  protected endTimer: NodeJS.Timeout | null;
  /** True when nothing can be sent any more; the connection may have things to finish. */
  protected isClosed: boolean;
  /** FIN has come: the client said all it had to say, whatever becomes of the connection from here. */
  private hasEnded: boolean;

  constructor(socket: Socket, listener: string, peer: Peer | null = null) {
    this.socket = socket;
    this.listener = listener;
    this.peer = peer;
    this.connection = null;
    this.address = '';
    this.error = undefined;
    this.waitsForDrain = false;
    this.endTimer = null;
    this.isClosed = false;
    this.hasEnded = false;
    this.directBytes = 0;
    this.inWrite = false;
    this.written = (error) => this.directDone(error);
  }

  /**
   * Writes to the socket's own `_write` while nothing waits, past the buffer of `Writable`: What the kernel does not
   * take whole is kept by the socket below; what comes after it goes through the buffer, in order.
   */
  write(bytes: Buffer): boolean {
    const socket = this.socket;
    if (this.isClosed) return true;
    if (this.directBytes > 0 || this.waitsForDrain || this.endTimer !== null) {
      socket.write(bytes);
      return false;
    }
    this.directBytes = bytes.length;
    this.inWrite = true;
    socket._write(bytes, 'buffer' as BufferEncoding, this.written);
    this.inWrite = false;
    return this.directBytes === 0;
  }

  /** The socket has taken the bytes that went past its buffer, within `write` or later, or it failed. */
  private directDone(error: Error | null | undefined): void {
    this.directBytes = 0;
    if (error) this.socket.destroy(error);
    else if (this.inWrite) return;
    else if (this.socket.writableLength > 0) this.waitForDrain();
    else this.tellDrained();
  }

  private tellDrained(): void {
    try {
      this.connection?.drained();
    } catch (error) {
      this.connection?.escaped(error);
    }
  }

  /** Slow path. `drain` events are not used: they come only when the high-water mark was passed, and then for writes that the kernel took whole, too. */
  private waitForDrain(): void {
    if (this.endTimer !== null) return; // nobody asks any more, and nothing may be written behind the end
    this.waitsForDrain = true;
    this.socket.write(nothing, (error) => {
      this.waitsForDrain = false;
      if (error) return;
      // More may have been written behind the marker.
      if (this.socket.writableLength > 0) this.waitForDrain();
      else this.tellDrained();
    });
  }

  get pendingBytes(): number {
    return this.directBytes + this.socket.writableLength;
  }

  /** `203.0.113.7:51034`, or `unix`: the client's own, also behind a load balancer. Asked of the system when first needed. */
  get remoteAddress(): string {
    if (this.address === '') this.address = this.peer?.address || formatPeer(this.socket);
    return this.address;
  }

  get clientCertificate(): ClientCertificate | null {
    return this.peer?.clientCertificate ?? null;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /**
   * Sends what is pending, then FIN. What the client still sends is read and thrown away until it closes too: a socket closed with bytes
   * unread answers with RST, and that can overtake the DISCONNECT that told the client why.
   */
  end(): void {
    if (this.endTimer !== null || this.socket.destroyed) return;
    this.socket.removeListener('data', onData);
    this.socket.resume();
    this.socket.end();
    this.endTimer = setTimeout(destroySocket, endTimeoutMilliseconds, this.socket);
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Connects the events of the socket to the connection. */
  attach(connection: Connection): void {
    this.carry(connection);
    this.socket.on('data', onData);
  }

  /** The same without what is read: it belongs to a protocol in between. */
  carry(connection: Connection): void {
    this.connection = connection;
    const socket = this.socket as Owned;
    socket[transportKey] = this;
    socket.allowHalfOpen = true; // closed by us when what came before FIN has taken effect
    socket.on('end', onEnd);
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  failed(error: Error): void {
    this.error = error;
  }

  ended(): void {
    this.hasEnded = true;
    if (this.connection?.streamEnded() !== true) this.end();
  }

  closed(): void {
    if (this.endTimer !== null) clearTimeout(this.endTimer);
    this.isClosed = true;
    // What we wrote to a client that has closed comes back as a reset: that takes nothing from what it sent.
    this.connection?.transportClosed(this.hasEnded ? undefined : this.error);
  }
}

/**
 * Handles a chunk; an exception below here ends this socket alone: behind an event there is nobody else, and the thread
 * would go with all its clients.
 */
function onData(this: Socket, chunk: Buffer): void {
  const connection = (this as Owned)[transportKey].connection!;
  try {
    connection.receive(chunk);
  } catch (error) {
    connection.escaped(error);
  }
}

function onEnd(this: Socket): void {
  const transport = (this as Owned)[transportKey];
  try {
    transport.ended();
  } catch (error) {
    transport.connection?.escaped(error);
  }
}

/** Resets and broken pipes are the client's or the network's; `close` follows and tells the broker. */
function onError(this: Socket, error: Error): void {
  (this as Owned)[transportKey].failed(error);
}

function onClose(this: Socket): void {
  const transport = (this as Owned)[transportKey];
  try {
    transport.closed();
  } catch (error) {
    transport.connection?.escaped(error);
  }
}

function destroySocket(socket: Socket): void {
  socket.destroy();
}

/** `203.0.113.7:51034`, or `unix`. */
export function formatPeer(socket: Socket): string {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined) return 'unix';
  return remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}
