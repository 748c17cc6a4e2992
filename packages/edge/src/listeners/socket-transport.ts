import type { Socket } from 'node:net';
import type { ClientCertificate, Connection, Transport } from '@dunlin/broker';
import type { Peer } from './peer.ts';
import { SharedReading } from './shared-reading.ts';

/**
 * A TCP or Unix socket as the broker's transport. Hot path.
 *
 * Measured with 18,000 idle sockets: 2.7 KiB of resident memory each with listeners that all sockets share and find
 * their transport through a property, 3.2 KiB with a set of closures for each. What is read goes straight to the
 * connection (shared-reading.ts); whether the kernel took all of a write is read from `writableLength`, which costs no
 * callback.
 */

/** Time for a closing client to read pending bytes and to close its side; then the socket is destroyed. */
export const endTimeoutMilliseconds = 2000;

const transportKey = Symbol('transport');
type Owned = Socket & { [transportKey]: SocketTransport };

const nothing = Buffer.alloc(0);

/** Counts of libuv's stream: bytes given to it, and those of them that the system has not taken. */
interface StreamHandle {
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
}
type WithHandle = Socket & { readonly _handle?: StreamHandle | null };

export class SocketTransport implements Transport {
  readonly listener: string;
  /** Undefined: as TCP takes. */
  readonly ownBytes: number | undefined = undefined;
  /** Set right after the broker has accepted the transport, before any event of the socket can come. */
  connection: Connection | null;
  protected readonly socket: Socket;
  /** Peer of a PROXY header; null: the client is connected directly. */
  private readonly peer: Peer | null;
  private address: string;
  private error: Error | undefined;
  protected waitsForDrain: boolean;
  /** Bytes of the one write that bypassed the buffer and that the kernel has not taken whole. */
  private directBytes: number;
  private inWrite: boolean;
  private readonly written: (error?: Error | null) => void;
  protected endTimer: NodeJS.Timeout | null;
  /** True when nothing can be sent any more; earlier packets may still have to take effect. */
  protected isClosed: boolean;
  /** FIN was received: the client has sent everything. */
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

  /**
   * Slow path. `drain` events are not used: they come only when the high-water mark was passed, and then for writes
   * that the kernel took whole, too.
   */
  private waitForDrain(): void {
    if (this.endTimer !== null) return; // nothing waits any more, and nothing may be written behind the end
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

  /** Stream of the system below: TLS has one more in between. */
  protected get carrier(): Socket {
    return this.socket;
  }

  get takenBytes(): number {
    const handle = (this.carrier as WithHandle)._handle;
    return handle === undefined || handle === null ? 0 : handle.bytesWritten - handle.writeQueueSize;
  }

  /**
   * `203.0.113.7:51034`, or `unix`: the client's own, also behind a load balancer. Read from the system at first use.
   */
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
   * Sends pending bytes, then FIN. Bytes that the client still sends are read and discarded until it closes too: a
   * socket closed with unread bytes answers with RST, and that can overtake the DISCONNECT with the reason.
   */
  end(): void {
    if (this.endTimer !== null || this.socket.destroyed) return;
    this.socket.removeListener('data', onData);
    reading.end(this.socket);
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
    if (!reading.begin(this.socket)) this.socket.on('data', onData);
  }

  /** Connects the events without `data`, which a protocol in between reads. */
  carry(connection: Connection): void {
    this.connection = connection;
    const socket = this.socket as Owned;
    socket[transportKey] = this;
    socket.allowHalfOpen = true; // closed by us when earlier packets have taken effect
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
    // Bytes written to a client that has closed come back as a reset: packets that it sent before stay valid.
    this.connection?.transportClosed(this.hasEnded ? undefined : this.error);
  }
}

/**
 * Handles a chunk. An exception ends this socket alone: in an event handler it would end the thread, with all its
 * clients.
 */
function onData(this: Socket, chunk: Buffer): void {
  const connection = (this as Owned)[transportKey].connection!;
  try {
    connection.receive(chunk);
  } catch (error) {
    connection.escaped(error);
  }
}

const reading = new SharedReading(onData);

function onEnd(this: Socket): void {
  const transport = (this as Owned)[transportKey];
  try {
    transport.ended();
  } catch (error) {
    transport.connection?.escaped(error);
  }
}

/** Resets and broken pipes are faults of the client or the network; `close` follows and tells the broker. */
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
  return remoteAddress === undefined ? 'unix' : peerText(remoteAddress, remotePort);
}

export function peerText(address: string, port: number | undefined): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
