/**
 * The system's streams below `net.Socket`, as libuv has them. What they are in Node is not documented: it is looked for,
 * and where this version of Node has it otherwise, sockets are used (`streams` is null then).
 */
import type { Server } from 'node:net';

/** A TCP connection, or one of a Unix socket. Each function returns 0 or a negative error number of libuv. */
export interface StreamHandle {
  /** Called with the handle as `this`; how much came, or a negative error number, is in `streams.state` then. */
  onread: (this: StreamHandle) => void;
  readStart(): number;
  readStop(): number;
  /** Bytes are read into this buffer, which must outlive the handle. */
  useUserBuffer(buffer: Buffer): void;
  /** Sends bytes. Those that the system does not take at once are kept by the request until its `oncomplete`. */
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  /** Sends FIN behind what is to be written. 1: done. */
  shutdown(request: ShutdownRequest): number;
  close(closed?: () => void): void;
  getpeername?(out: PeerName): number;
  setNoDelay?(isOn: boolean): number;
  setKeepAlive?(isOn: boolean, delaySeconds: number): number;
  /** Bytes given to it, and those of them that the system has not taken. */
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
}

export interface PeerName {
  address?: string;
  port?: number;
}

export interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void;
}

export interface ShutdownRequest {
  oncomplete: (this: ShutdownRequest, status: number) => void;
}

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly ShutdownWrap: new () => ShutdownRequest;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

export interface Streams {
  readonly WriteRequest: new () => WriteRequest;
  readonly ShutdownRequest: new () => ShutdownRequest;
  /** About the last call of this thread: at `readAt` what was read, at `asyncAt` whether a write is not done yet. */
  readonly state: Int32Array;
  readonly readAt: number;
  readonly asyncAt: number;
}

function isBinding(value: unknown): value is StreamBinding {
  const binding = value as StreamBinding;
  return (
    typeof binding?.WriteWrap === 'function' &&
    typeof binding.ShutdownWrap === 'function' &&
    binding.streamBaseState instanceof Int32Array &&
    typeof binding.kReadBytesOrError === 'number' &&
    typeof binding.kLastWriteWasAsync === 'number'
  );
}

function findStreams(): Streams | null {
  let binding: unknown;
  try {
    binding = (process as unknown as { binding(name: string): unknown }).binding('stream_wrap');
  } catch {
    return null; // not there any more, or not allowed
  }
  if (!isBinding(binding)) return null;
  return {
    WriteRequest: binding.WriteWrap,
    ShutdownRequest: binding.ShutdownWrap,
    state: binding.streamBaseState,
    readAt: binding.kReadBytesOrError,
    asyncAt: binding.kLastWriteWasAsync,
  };
}

/** Null: this version of Node has them otherwise. */
export const streams: Streams | null = findStreams();

type Accepting = (this: unknown, error: number, handle: StreamHandle | undefined) => void;
interface ListeningHandle {
  onconnection?: Accepting;
}

function isUsable(handle: StreamHandle): boolean {
  return [handle.readStart, handle.readStop, handle.writeBuffer, handle.shutdown, handle.useUserBuffer].every(
    (part) => typeof part === 'function',
  );
}

/**
 * Gives the connections that a listening server accepts to `enter`, without a `net.Socket` for each. Where the running
 * version of Node does not allow it nothing changes, and the server goes on to emit `connection`.
 */
export function acceptHandles(server: Server, enter: (handle: StreamHandle) => void): void {
  const listening = (server as unknown as { readonly _handle?: ListeningHandle | null })._handle;
  const accept = listening?.onconnection;
  if (streams === null || listening === null || typeof accept !== 'function') return;
  (listening as ListeningHandle).onconnection = function (error, handle) {
    if (error !== 0 || handle === undefined || !isUsable(handle)) accept.call(this, error, handle);
    else enter(handle);
  };
}
