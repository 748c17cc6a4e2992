/**
 * The time before CONNACK, when nobody knows who the client is. All that it makes the node keep is bounded in bytes:
 *
 * ```
 *   CONNECT         limits.connectPacketBytesMax, told by its fixed header; 64 user properties (protocol)
 *   AUTH            the same, for each packet
 *   other packets   kept as the bytes that they are (held-packets.ts); at 64 KiB the socket is not read
 *   a WebSocket     its raw bytes, since it gives a message only when it has all of it
 *   all together    limits.unsigned…, for a worker (guards/unsigned-clients.ts)
 * ```
 */
import { PacketType, ProtocolError, type ProtocolVersion, peekConnectVersion, ReasonCode } from '@dunlin/protocol';
import type { UnsignedClient } from '../guards/unsigned-clients.ts';
import { ConnectionState } from '../output/connection-state.ts';
import type { Limits } from '../ports/limits.ts';
import type { Metrics } from '../ports/metrics.ts';
import { firstPacketError } from './other-protocol.ts';

export interface EarlyConnection {
  readonly parts: { readonly limits: Limits; readonly metrics: Metrics; readonly httpUrl: string };
  /** ConnectionState. */
  state: number;
  readonly unsigned: UnsignedClient | null;
  readonly signIn: { readonly method: string | null };
  readonly decoder: { maximumPacketSize: number; readonly partialBytes: number };
  readonly holding: { readonly bytes: number };
  readonly reading: { held(bytes: number): void };
  setVersion(version: ProtocolVersion): void;
  /** Keeps a packet until the client is connected. */
  hold(type: number, bytes: Buffer, start: number, end: number): void;
  failed(error: unknown): void;
}

/** Handlers of the packets that come before CONNACK. */
export interface EarlyHandlers<C> {
  readonly connect: { handle(connection: C, bytes: Buffer, bodyStart: number, end: number): void };
  readonly auth: { handle(connection: C, bytes: Buffer, bodyStart: number, end: number): void };
}

/** Headers of the frames in which a WebSocket may carry a CONNECT. */
const frameHeadersBytesMax = 16 * 1024;

/** Handles or holds a packet of a client that has no CONNACK yet. False: the connection has ended. */
export function takeEarlyPacket<C extends EarlyConnection>(
  connection: C,
  handlers: EarlyHandlers<C>,
  bytes: Buffer,
  start: number,
  bodyStart: number,
  end: number,
): boolean {
  const { parts, signIn } = connection;
  const type = bytes[start] >> 4;
  if (connection.state === ConnectionState.new) {
    // The first packet must be CONNECT [MQTT-3.1.0-1].
    if (type !== PacketType.connect) {
      const error = new ProtocolError(ReasonCode.protocolError, 'the first packet is not CONNECT', 'MQTT-3.1.0-1');
      throw firstPacketError(error, bytes.subarray(start, end), parts.httpUrl);
    }
    connection.state = ConnectionState.connecting;
    connection.unsigned?.introduced(end - start);
    parts.metrics.packetsReceived[type]++;
    handlers.connect.handle(connection, bytes, bodyStart, end);
    // An early PUBLISH may be as large as any: it is not read to its end before CONNACK.
    if (signIn.method === null) connection.decoder.maximumPacketSize = parts.limits.maximumPacketSizeBytes;
    return true;
  }
  if (type === PacketType.auth) {
    parts.metrics.packetsReceived[type]++;
    handlers.auth.handle(connection, bytes, bodyStart, end);
    return true;
  }
  if (signIn.method !== null && type !== PacketType.disconnect) {
    throw new ProtocolError(ReasonCode.protocolError, 'neither AUTH nor DISCONNECT before CONNACK', 'MQTT-3.1.2-30');
  }
  connection.hold(type, bytes, start, end);
  return true;
}

/** A chunk was handled, and part of a packet is buffered: with what is held that is what an unknown client costs. */
export function earlyBytesCame(connection: EarlyConnection): void {
  const bytes = connection.holding.bytes + connection.decoder.partialBytes;
  connection.reading.held(bytes);
  connection.unsigned?.charge(bytes);
}

/** Error of the first bytes of a connection, in words that tell what they look like. */
export function firstError(connection: EarlyConnection, error: unknown, chunk: Buffer): unknown {
  const named = firstPacketError(error, chunk, connection.parts.httpUrl);
  if (named === error && error instanceof ProtocolError && error.reasonCode === ReasonCode.packetTooLarge)
    takeVersion(connection, chunk);
  return named;
}

/**
 * A CONNECT is larger than allowed, as its first bytes say. They also say its version, in which the client is answered
 * (MQTT 5 section 3.2.2.2).
 */
function takeVersion(connection: EarlyConnection, chunk: Buffer): void {
  if (chunk[0] >> 4 !== PacketType.connect) return;
  let bodyStart = 1;
  while (chunk[bodyStart] > 0x7f) bodyStart++;
  const version = peekConnectVersion(chunk, bodyStart + 1, chunk.length);
  if (version === 0) return;
  connection.setVersion(version);
  connection.state = ConnectionState.connecting;
}

/**
 * The transport has read so many bytes since the connection was opened, and keeps some of them until a message of its
 * own is complete. False: more than a CONNECT needs, and the connection has ended. One that was refused may still send,
 * and wait for the end.
 */
export function mayCarry(connection: EarlyConnection, bytes: number): boolean {
  const { connectPacketBytesMax } = connection.parts.limits;
  connection.unsigned?.charge(bytes);
  if (connection.state === ConnectionState.connecting) {
    connection.reading.held(bytes - connectPacketBytesMax);
    return true;
  }
  if (bytes <= connectPacketBytesMax + frameHeadersBytesMax) return true;
  if (connection.state === ConnectionState.closed) return false;
  const message = `no CONNECT in ${bytes} bytes; at most ${connectPacketBytesMax} are allowed`;
  connection.failed(new ProtocolError(ReasonCode.packetTooLarge, message));
  return false;
}
