import { getSystemErrorName } from 'node:util';
import type { Connection, Transport } from '@dunlin/broker';
import { readBuffer, takeChunk } from './read-buffer.ts';
import { endTimeoutMilliseconds, peerText } from './socket-transport.ts';
import {
  type PeerName,
  type ShutdownRequest,
  type StreamHandle,
  type Streams,
  streams,
  type WriteRequest,
} from './stream-handle.ts';

/**
 * A TCP or Unix connection as the broker's transport, without a `net.Socket`. Hot path.
 *
 * Measured with the bare forwarder (loadtest/bench): a connection that comes and goes costs 31 µs so, and 40 to 50 with
 * a socket. A write that the system takes at once, which nearly all are, needs no request of its own: one request serves
 * all handles of the thread until a write is not done at once, and then stays with that write.
 */

const transportKey = Symbol('transport');
type Owned = StreamHandle & { [transportKey]: HandleTransport };

interface PendingWrite extends WriteRequest {
  transport?: HandleTransport;
  /** The system has not taken all of them. */
  bytes?: Buffer;
}
interface PendingShutdown extends ShutdownRequest {
  transport?: HandleTransport;
}

const endOfFile = 'EOF';
const parts = streams as Streams; // nobody makes a transport of a handle without them

function newWrite(): PendingWrite {
  const request: PendingWrite = new parts.WriteRequest();
  request.oncomplete = onWritten;
  return request;
}

/** Request for the next write; null: none was made yet. */
let nextWrite: PendingWrite | null = null;

export class HandleTransport implements Transport {
  readonly listener: string;
  /** `203.0.113.7:51034`, or `unix`. */
  readonly remoteAddress: string;
  /** Undefined: as TCP takes. */
  readonly ownBytes: number | undefined = undefined;
  readonly clientCertificate = null;
  /** Set right after the broker has accepted the transport, before anything can come. */
  connection: Connection | null = null;
  private readonly handle: StreamHandle;
  private error: Error | undefined = undefined;
  /** Writes that the system has not taken whole. */
  private writes = 0;
  private endTimer: NodeJS.Timeout | null = null;
  /** FIN was sent, behind everything else. */
  private isShutDown = false;
  /** FIN was received: the client has sent everything. */
  private hasEnded = false;
  /** True when nothing is sent and nothing is read any more. */
  private isClosing = false;
  private readonly left: () => void;
  private closeListeners: (() => void)[] | null = null;

  /** `left` is called once, when it is closed. */
  constructor(handle: StreamHandle, listener: string, left: () => void) {
    this.handle = handle;
    this.left = left;
    this.listener = listener;
    this.remoteAddress = peerOf(handle);
    (handle as Owned)[transportKey] = this;
  }

  write(bytes: Buffer): boolean {
    if (this.isClosing || this.endTimer !== null) return true;
    nextWrite ??= newWrite();
    const request = nextWrite;
    const status = this.handle.writeBuffer(request, bytes);
    if (status !== 0) {
      this.fail(status, 'write');
      return true;
    }
    if (parts.state[parts.asyncAt] === 0) return true;
    nextWrite = null;
    request.transport = this;
    request.bytes = bytes;
    this.writes++;
    return false;
  }

  /** The system has taken the rest of a write, or it failed. */
  written(status: number): void {
    this.writes--;
    if (this.isClosing) return;
    if (status < 0) this.fail(status, 'write');
    else if (this.writes === 0 && this.endTimer === null) this.connection?.drained();
  }

  get pendingBytes(): number {
    return this.writes === 0 || this.isClosing ? 0 : this.handle.writeQueueSize;
  }

  get takenBytes(): number {
    return this.isClosing ? 0 : this.handle.bytesWritten - this.handle.writeQueueSize;
  }

  pause(): void {
    if (!this.isClosing) this.handle.readStop();
  }

  resume(): void {
    if (!this.isClosing && !this.hasEnded) this.handle.readStart();
  }

  /**
   * Sends pending bytes, then FIN. Bytes that the client still sends are read and discarded until it closes too: a
   * socket closed with unread bytes answers with RST, and that can overtake the DISCONNECT with the reason.
   */
  end(): void {
    if (this.endTimer !== null || this.isClosing) return;
    this.resume();
    const request: PendingShutdown = new parts.ShutdownRequest();
    request.oncomplete = onShutDown;
    request.transport = this;
    this.endTimer = setTimeout(destroyTransport, endTimeoutMilliseconds, this);
    const status = this.handle.shutdown(request);
    if (status === 1) this.shutDown(0);
    else if (status !== 0) this.shutDown(status);
  }

  /** FIN was sent, or cannot be. */
  shutDown(status: number): void {
    this.isShutDown = true;
    if (status < 0 || this.hasEnded) this.destroy();
  }

  destroy(): void {
    if (this.isClosing) return;
    this.isClosing = true;
    this.handle.close(() => this.closed());
  }

  private fail(status: number, call: string): void {
    const code = getSystemErrorName(status);
    // As sockets of Node make it: its code is that of the system, not one of ours.
    this.error = Object.assign(Error(`${call} ${code}`), { code, errno: status, syscall: call });
    this.destroy();
  }

  /** Called once when the connection is closed, by either side. */
  once(_event: 'close', listener: () => void): void {
    this.closeListeners ??= [];
    this.closeListeners.push(listener);
  }

  /** Reads what comes for the connection. */
  attach(connection: Connection): void {
    this.connection = connection;
    const { handle } = this;
    handle.useUserBuffer(readBuffer);
    handle.onread = onRead;
    if (!this.isClosing) handle.readStart();
  }

  /** Bytes have come, or what ends them: a negative error number. */
  read(length: number): void {
    if (this.isClosing) return;
    if (length > 0) {
      if (this.endTimer === null) this.connection!.receive(takeChunk(length));
      return;
    }
    if (length === 0) return;
    if (getSystemErrorName(length) !== endOfFile) this.fail(length, 'read');
    else this.ended();
  }

  private ended(): void {
    this.hasEnded = true;
    if (this.isShutDown) this.destroy();
    else if (this.endTimer === null && this.connection?.streamEnded() !== true) this.end();
  }

  private closed(): void {
    if (this.endTimer !== null) clearTimeout(this.endTimer);
    // Bytes written to a client that has closed come back as a reset: packets that it sent before stay valid.
    const error = this.hasEnded ? undefined : this.error;
    const { connection, closeListeners } = this;
    try {
      connection?.transportClosed(error);
    } catch (thrown) {
      connection?.escaped(thrown);
    }
    this.left();
    if (closeListeners !== null) for (const listener of closeListeners) listener();
  }
}

/** `unix` also for a client that has reset the connection already, as a socket says. */
function peerOf(handle: StreamHandle): string {
  const name: PeerName = {};
  handle.getpeername?.(name);
  return name.address === undefined ? 'unix' : peerText(name.address, name.port);
}

/**
 * Handles what was read. An exception ends this connection alone: in a callback of the system it would end the thread,
 * with all its clients.
 */
function onRead(this: StreamHandle): void {
  const transport = (this as Owned)[transportKey];
  try {
    transport.read(parts.state[parts.readAt]);
  } catch (error) {
    transport.connection!.escaped(error);
  }
}

function onWritten(this: PendingWrite, status: number): void {
  const transport = this.transport as HandleTransport;
  try {
    transport.written(status);
  } catch (error) {
    transport.connection!.escaped(error);
  }
}

function onShutDown(this: PendingShutdown, status: number): void {
  this.transport?.shutDown(status);
}

function destroyTransport(transport: HandleTransport): void {
  transport.destroy();
}
