/**
 * Format of one NATS message. All numbers are big-endian. The first line is the same in every version, so that the
 * sender of something unreadable can be named:
 *
 *     version u8 │ kind u8 │ name length u8 │ name of the sender, UTF-8
 *     connection u32 │ body │ trailer of a signed message (signing.ts)
 *
 * Of the version, the highest bit says that the message is signed, and the next that its sender takes signed messages
 * alone: an endpoint without the secret then takes none of it, so that both agree that they cannot reach each other.
 *
 * `connection` counts how often the sender has connected. Bytes of an earlier connection that come after those of a
 * later one are dropped, so order holds when a server still works through what a lost connection left behind.
 *
 * | kind | body | meaning |
 * | --- | --- | --- |
 * | frame | bytes | the argument of `send` or `broadcast` |
 * | piece | number u32, index u32, count u32, bytes | one of `count` pieces of a frame that was larger than the server accepts |
 * | heartbeat | flags u8, newest version u8, release length u8, release | the sender lives, reads versions up to that one, and is of that release (0.1 sends none); flag 1: answer at once, I am new here |
 * | bye | name length u8, name | that endpoint stops (the sender itself) or is dead (another) |
 * | evicted | – | to the receiver: it was evicted and has to start again under a new name |
 *
 * Bytes after the known fields of a heartbeat, bye or evicted are ignored, so that they can grow.
 */
import { CodedError, type EndpointId } from '@dunlin/broker/ports';
import { nameBytesMax } from './bounds.ts';
import { sequenceOf, trailerBytes } from './signing.ts';

/**
 * Versions that are read: the newest and the one before it, so that a cluster can be upgraded node by node. Messages
 * are written in the older one. With a version 3 the line of version 1 goes.
 */
export const envelopeVersions: readonly {
  readonly version: number;
  readonly since: string;
  readonly change: string;
}[] = [{ version: 1, since: '0.1.0', change: 'the first' }];
export const sentVersion = envelopeVersions[0].version;
export const newestVersion = envelopeVersions[envelopeVersions.length - 1].version;

export const Kind = { frame: 1, piece: 2, heartbeat: 3, bye: 4, evicted: 5 } as const;

/** Flags beside the version. */
export const signedFlag = 0x80;
export const signedOnlyFlag = 0x40;
const versionMask = 0x3f;

/** Flag of a heartbeat. */
export const answerAtOnce = 1;

/**
 * Error of `readEnvelope`: why bytes cannot be used, and who sent them. `from` is empty or cut when it could not be
 * read.
 */
export class EnvelopeError extends CodedError<'unreadable-envelope'> {
  readonly from: string;
  constructor(message: string, from: string) {
    super('unreadable-envelope', message);
    this.from = from;
  }
}

/** Message that was read. Fields that its kind does not have are 0 or empty. */
export class Envelope {
  readonly kind: number;
  readonly from: EndpointId;
  readonly connection: number;
  /** True when there is a trailer; whether it is right was not looked at. */
  readonly isSigned: boolean;
  /** True when the sender takes signed messages alone. */
  readonly isSignedOnly: boolean;
  /** Sequence of a signed message. */
  sequence = 0;
  /** Flags of a heartbeat. */
  flags = 0;
  newestVersion = 0;
  /** Release of Dunlin that the sender of a heartbeat runs; empty where it does not say. */
  release = '';
  /** Number of a piece. */
  number = 0;
  index = 0;
  count = 0;
  /** Endpoint that a bye is about. */
  about: EndpointId = '';
  /** Bytes of a frame or piece: a view of the message. */
  bytes: Buffer;

  constructor(kind: number, from: EndpointId, connection: number, flags: number, bytes: Buffer) {
    this.kind = kind;
    this.isSigned = (flags & signedFlag) !== 0;
    this.isSignedOnly = (flags & signedOnlyFlag) !== 0;
    this.from = from;
    this.connection = connection;
    this.bytes = bytes;
  }
}

const nameAt = 3;

/** Reads a message. Throws EnvelopeError, and nothing else, for bytes that are no message or of an unknown version. */
export function readEnvelope(bytes: Uint8Array): Envelope {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const nameEnd = buffer.length < nameAt ? nameAt : nameAt + buffer[2];
  const from = buffer.toString('utf8', nameAt, Math.min(nameEnd, buffer.length));
  if (buffer.length < nameAt) throw new EnvelopeError(`${buffer.length} bytes are not a message`, from);
  const version = buffer[0] & versionMask;
  if (version < sentVersion || version > newestVersion) {
    throw new EnvelopeError(`version ${version} is not understood; known: ${sentVersion} to ${newestVersion}`, from);
  }
  const bodyAt = nameEnd + 4;
  const isSigned = (buffer[0] & signedFlag) !== 0;
  const end = isSigned ? buffer.length - trailerBytes : buffer.length;
  if (end < bodyAt) throw new EnvelopeError(`${buffer.length} bytes end inside the header or the trailer`, from);
  const envelope = new Envelope(buffer[1], from, buffer.readUInt32BE(nameEnd), buffer[0], buffer.subarray(bodyAt, end));
  if (isSigned) envelope.sequence = sequenceOf(buffer);
  switch (envelope.kind) {
    case Kind.frame:
    case Kind.evicted:
      return envelope;
    case Kind.piece:
      return readPiece(envelope);
    case Kind.heartbeat:
      return readHeartbeat(envelope);
    case Kind.bye:
      return readBye(envelope);
    default:
      throw new EnvelopeError(`kind ${envelope.kind} is not known`, from);
  }
}

export const pieceHeaderBytes = 12;

function readPiece(envelope: Envelope): Envelope {
  const { bytes, from } = envelope;
  if (bytes.length <= pieceHeaderBytes) throw new EnvelopeError(`a piece of ${bytes.length} bytes holds nothing`, from);
  envelope.number = bytes.readUInt32BE(0);
  envelope.index = bytes.readUInt32BE(4);
  envelope.count = bytes.readUInt32BE(8);
  if (envelope.index >= envelope.count) {
    throw new EnvelopeError(`piece ${envelope.index} of ${envelope.count} does not exist`, from);
  }
  envelope.bytes = bytes.subarray(pieceHeaderBytes);
  return envelope;
}

function readHeartbeat(envelope: Envelope): Envelope {
  const { bytes, from } = envelope;
  if (bytes.length < 2) throw new EnvelopeError(`a heartbeat of ${bytes.length} bytes is too short`, from);
  envelope.flags = bytes[0];
  envelope.newestVersion = bytes[1];
  if (bytes.length > 2 && bytes.length >= 3 + bytes[2]) envelope.release = bytes.toString('utf8', 3, 3 + bytes[2]);
  return envelope;
}

function readBye(envelope: Envelope): Envelope {
  const { bytes, from } = envelope;
  if (bytes.length < 1 || bytes.length < 1 + bytes[0]) throw new EnvelopeError('a bye ends inside the name', from);
  envelope.about = bytes.toString('utf8', 1, 1 + bytes[0]);
  return envelope;
}

/** Reads the sender of a message that is not used, for the log; it may be cut. */
export function senderOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(
    'utf8',
    nameAt,
    nameAt + (bytes[2] ?? 0),
  );
}

/** Writes the messages of one endpoint; where they are signed, with free bytes for the trailer at their end. */
export class EnvelopeWriter {
  readonly #name: Buffer;
  readonly #flags: number;
  readonly #trailer: Buffer;
  readonly #release: Buffer;
  #connection = 0;
  #frameHeader: Buffer;

  /**
   * `release`: the release that heartbeats name; empty: none. `flags`: `signedFlag` and `signedOnlyFlag`. Throws
   * RangeError for a name that is too long.
   */
  constructor(self: EndpointId, release = '', flags = 0) {
    this.#name = Buffer.from(self);
    this.#flags = flags;
    this.#trailer = Buffer.alloc((flags & signedFlag) === 0 ? 0 : trailerBytes);
    const text = Buffer.from(release).subarray(0, 255);
    this.#release = text.length === 0 ? text : Buffer.concat([Buffer.of(text.length), text]);
    if (this.#name.length > nameBytesMax) {
      throw new RangeError(
        `the endpoint name "${self}" has ${this.#name.length} bytes; at most ${nameBytesMax} are allowed`,
      );
    }
    this.#frameHeader = this.#header(Kind.frame);
  }

  /** Sets how often this endpoint has connected. */
  set connection(count: number) {
    this.#connection = count >>> 0;
    this.#frameHeader = this.#header(Kind.frame);
  }

  get connection(): number {
    return this.#connection;
  }

  /** Bytes of a frame beside its content. */
  get headerBytes(): number {
    return this.#frameHeader.length + this.#trailer.length;
  }

  /** A frame in a buffer of its own: the one copy on the way out. */
  frame(bytes: Uint8Array): Buffer {
    const header = this.#frameHeader;
    const whole = Buffer.allocUnsafe(header.length + bytes.length + this.#trailer.length);
    whole.set(header);
    whole.set(bytes, header.length);
    return whole;
  }

  piece(number: number, index: number, count: number, bytes: Uint8Array): Buffer {
    const place = Buffer.allocUnsafe(pieceHeaderBytes);
    place.writeUInt32BE(number, 0);
    place.writeUInt32BE(index, 4);
    place.writeUInt32BE(count, 8);
    return Buffer.concat([this.#header(Kind.piece), place, bytes, this.#trailer]);
  }

  heartbeat(flags: number): Buffer {
    return Buffer.concat([
      this.#header(Kind.heartbeat),
      Buffer.from([flags, newestVersion]),
      this.#release,
      this.#trailer,
    ]);
  }

  bye(about: EndpointId): Buffer {
    const name = Buffer.from(about);
    return Buffer.concat([this.#header(Kind.bye), Buffer.from([name.length]), name, this.#trailer]);
  }

  evicted(): Buffer {
    return Buffer.concat([this.#header(Kind.evicted), this.#trailer]);
  }

  #header(kind: number): Buffer {
    const header = Buffer.allocUnsafe(nameAt + this.#name.length + 4);
    header[0] = sentVersion | this.#flags;
    header[1] = kind;
    header[2] = this.#name.length;
    this.#name.copy(header, nameAt);
    header.writeUInt32BE(this.#connection, nameAt + this.#name.length);
    return header;
  }
}
