import { describe, expect, test } from 'vitest';
import { encodeWithin } from '../src/encoder.ts';
import { decodePacket, type Packet, quote } from '../src/index.ts';

function sent(packet: Packet): Packet {
  const bytes = encodeWithin(packet, 5, Number.POSITIVE_INFINITY) as Buffer;
  const bodyStart = 1 + (bytes.length > 16_386 ? 3 : bytes.length > 129 ? 2 : 1);
  return decodePacket(bytes[0], bytes, bodyStart, bytes.length, 5);
}

function disconnect(properties: object): Packet {
  return { type: 'disconnect', reasonCode: 0x82, properties };
}

describe('an explanation that no field can hold does not keep its packet from being sent', () => {
  test.each([1024, 1025, 65_535, 65_536, 1_000_000])('a reason string of %i bytes', (size) => {
    const packet = sent(disconnect({ reasonString: 'x'.repeat(size) })) as { properties: { reasonString: string } };
    expect(packet.properties.reasonString).toBe('x'.repeat(Math.min(size, 1024)));
  });

  test('is cut between characters', () => {
    const packet = sent(disconnect({ reasonString: 'é'.repeat(40_000) })) as { properties: { reasonString: string } };
    expect(packet.properties.reasonString).toBe('é'.repeat(512));
    const odd = sent(disconnect({ reasonString: `a${'é'.repeat(40_000)}` })) as {
      properties: { reasonString: string };
    };
    expect(odd.properties.reasonString).toBe(`a${'é'.repeat(511)}`);
  });

  test('what else is too long is left out', () => {
    const long = 'x'.repeat(65_536);
    const userProperties: [string, string][] = [
      ['a', 'b'],
      ['long', long],
    ];
    const connack = { type: 'connack', sessionPresent: false, reasonCode: 0 } as const;
    const properties = { reasonString: 'why', userProperties, responseInformation: long, serverReference: long };
    expect(sent({ ...connack, properties })).toEqual({
      ...connack,
      properties: { reasonString: 'why', userProperties: [['a', 'b']] },
    });
  });
});

test.each([
  ['short', '"short"'],
  ['x'.repeat(64), `"${'x'.repeat(64)}"`],
  ['x'.repeat(65), `"${'x'.repeat(64)}…"`],
  [`${'x'.repeat(63)}😀`, `"${'x'.repeat(63)}…"`],
])('a client is quoted with 64 characters at most', (text, quoted) => {
  expect(quote(text)).toBe(quoted);
});
