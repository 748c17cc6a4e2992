/**
 * Entry of a log's stream: the messages that a batch brought to one log.
 *
 *     u32 messages, then for each: u32 length, f64 expiry time, record            numbers big-endian
 *
 * An entry per message would cost Redis and Node a command's worth each (measured: see bench/append.ts).
 */
import type { LogEntry } from '@dunlin/broker';

/** Largest size of a chunk: reading from its middle reads it whole. */
export const chunkBytesMax = 65_536;
export const chunkMessagesMax = 1000;
export const chunkHeaderBytes = 4;
export const messageHeaderBytes = 12;

/** Writes a message at `at`; returns where the next begins. */
export function writeMessage(into: Buffer, at: number, record: Uint8Array, expiresAt: number): number {
  into.writeUInt32BE(record.length, at);
  into.writeDoubleBE(expiresAt, at + 4);
  into.set(record, at + messageHeaderBytes);
  return at + messageHeaderBytes + record.length;
}

/** The messages of a chunk whose last one has the number `last`. Records are views of the chunk. */
export function readChunk(chunk: Buffer, last: number, each: (entry: LogEntry) => boolean): void {
  const messages = chunk.readUInt32BE(0);
  let at = chunkHeaderBytes;
  for (let sequence = last - messages + 1; sequence <= last; sequence++) {
    const length = chunk.readUInt32BE(at);
    const expiresAt = chunk.readDoubleBE(at + 4);
    at += messageHeaderBytes;
    if (!each({ sequence, record: chunk.subarray(at, at + length), expiresAt })) return;
    at += length;
  }
}
