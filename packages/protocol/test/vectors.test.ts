import { describe, expect, it } from 'vitest';
import { encodePacket, PacketType, shortAckBytes, writeAck } from '../src/index.ts';
import { decodeAll } from './decode-one.ts';
import { vectors } from './vectors.ts';

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('wire vectors', () => {
  it.each(vectors)('$name is decoded', ({ hex, version, decoded }) => {
    expect(decodeAll(bytesOf(hex), version)).toEqual([decoded]);
  });

  it.each(vectors.filter((vector) => vector.canonical !== false))('$name is encoded', ({ hex, version, decoded }) => {
    expect(encodePacket(decoded, version).toString('hex')).toBe(bytesOf(hex).toString('hex'));
  });

  it('have every packet type', () => {
    expect(new Set(vectors.map((vector) => vector.decoded.type))).toEqual(new Set(Object.keys(PacketType)));
  });

  it.each([PacketType.puback, PacketType.pubrec, PacketType.pubrel, PacketType.pubcomp])(
    'the short form of acknowledgement %i is what the encoder writes',
    (type) => {
      const out = Buffer.alloc(6);
      expect(writeAck(out, 1, type, 0xabcd)).toBe(1 + shortAckBytes);
      const name = (['puback', 'pubrec', 'pubrel', 'pubcomp'] as const)[type - 4];
      const encoded = encodePacket({ type: name, packetId: 0xabcd, reasonCode: 0, properties: null }, 5);
      expect(out.subarray(1, 5)).toEqual(encoded);
      expect([out[0], out[5]]).toEqual([0, 0]);
    },
  );

  it('decode a client identifier, a user name and a password of 65,535 bytes', () => {
    const long = 'x'.repeat(65_535);
    const packet = {
      type: 'connect',
      version: 5,
      cleanStart: true,
      keepAliveSeconds: 0,
      clientId: long,
      will: null,
      userName: long,
      password: Buffer.from(long),
      properties: {},
    } as const;
    expect(decodeAll(encodePacket(packet, 5), 5)).toEqual([packet]);
    expect(() => encodePacket({ ...packet, clientId: `${long}x` }, 5)).toThrow('65536 bytes');
  });
});
