/**
 * Bytes written by hand, for conversations that must not depend on an encoder: malformed packets above all. Every
 * function returns the bytes of one field, or of one packet.
 */

/** Bytes from hexadecimal text; white space is for the reader. */
export function hex(text: string): Buffer {
  const digits = text.replace(/\s+/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) {
    throw new TypeError(`not hexadecimal: ${text}`);
  }
  return Buffer.from(digits, 'hex');
}

/** A two byte integer. */
export function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

/** A four byte integer. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A variable byte integer in its shortest form. */
export function variableByteInteger(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    const more = rest > 127;
    bytes.push((rest & 127) | (more ? 128 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.from(bytes);
}

/** Text or bytes with a length of two bytes in front: a string, or binary data. */
export function prefixed(value: string | Uint8Array): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value);
  return Buffer.concat([uint16(bytes.length), bytes]);
}

/** The properties of a packet with their length in front. */
export function properties(...fields: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(fields);
  return Buffer.concat([variableByteInteger(bytes.length), bytes]);
}

/** A packet: its first byte, the remaining length, and the fields. */
export function rawPacket(firstByte: number, ...fields: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(fields);
  return Buffer.concat([Buffer.from([firstByte]), variableByteInteger(body.length), body]);
}

/** The fields of a CONNECT that a conversation may want to get wrong. */
export interface RawConnect {
  readonly protocolName?: string | Uint8Array;
  readonly level: number;
  /** The connect flags; clean start alone by default. */
  readonly flags?: number;
  readonly keepAliveSeconds?: number;
  /** The properties, without their length; ignored below level 5. */
  readonly properties?: Uint8Array;
  /** The payload as it stands; an empty client identifier by default. */
  readonly payload?: Uint8Array;
  /** The first byte of the packet. */
  readonly firstByte?: number;
}

/** A CONNECT, right in all that is not named. */
export function rawConnect(connect: RawConnect): Buffer {
  return rawPacket(
    connect.firstByte ?? 0x10,
    prefixed(connect.protocolName ?? 'MQTT'),
    Buffer.from([connect.level, connect.flags ?? 0x02]),
    uint16(connect.keepAliveSeconds ?? 0),
    connect.level === 5 ? properties(connect.properties ?? Buffer.alloc(0)) : Buffer.alloc(0),
    connect.payload ?? prefixed(''),
  );
}
