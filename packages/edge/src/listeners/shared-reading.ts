/**
 * Reading of a `net.Socket` into the buffer of its thread (read-buffer.ts): of TLS connections, and of those behind a
 * PROXY header. Hot path.
 *
 * `onread` of `net.Socket` does this, but a server cannot pass it for the sockets that it accepts: what the option sets
 * is set here, where the running version of Node has it. Elsewhere the socket is read by its `data` events.
 */
import { Socket } from 'node:net';
import { readBuffer, takeChunk } from './read-buffer.ts';

/** Called with the bytes that a socket has received, and with that socket as `this`. */
type ChunkReader = (this: Socket, chunk: Buffer) => void;
type Callback = (this: Socket, length: number) => boolean;

interface Handle {
  useUserBuffer?(buffer: Buffer): unknown;
}
type Parts = Record<symbol, unknown> & { readonly _handle?: Handle | null };

/** Symbols under which a socket keeps the buffer and the callback of `onread`; null: this version of Node has others. */
function onreadSymbols(): { buffer: symbol; callback: symbol } | null {
  const callback: Callback = () => true;
  const probe = new Socket({ onread: { buffer: readBuffer, callback } } as object) as unknown as Parts;
  const symbols = Object.getOwnPropertySymbols(probe);
  const buffer = symbols.find((symbol) => probe[symbol] === readBuffer);
  const found = symbols.find((symbol) => probe[symbol] === callback);
  return buffer === undefined || found === undefined ? null : { buffer, callback: found };
}

const symbols = onreadSymbols();

const discard: Callback = () => true;

/** Sockets with one reader. */
export class SharedReading {
  readonly #take: Callback;

  constructor(read: ChunkReader) {
    this.#take = function (length) {
      read.call(this, takeChunk(length));
      return true;
    };
  }

  /**
   * Reads an accepted socket from now on; `pause` and `resume` of it hold. False: it cannot be read so, because this
   * version of Node has no such way, or because bytes that came before lie in the socket.
   */
  begin(socket: Socket): boolean {
    const parts = socket as unknown as Parts;
    const { _handle: handle } = parts;
    if (symbols === null || socket.readableLength > 0 || typeof handle?.useUserBuffer !== 'function') return false;
    parts[symbols.buffer] = readBuffer;
    parts[symbols.callback] = this.#take;
    handle.useUserBuffer(readBuffer);
    socket.resume();
    return true;
  }

  /** Bytes that come from now on are discarded. Nothing happens to a socket that is not read so. */
  end(socket: Socket): void {
    const parts = socket as unknown as Parts;
    if (symbols !== null && parts[symbols.buffer] === readBuffer) parts[symbols.callback] = discard;
  }
}
