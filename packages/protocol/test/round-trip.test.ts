import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodePacket, encodeWithin, type Packet, protocolVersions } from '../src/index.ts';
import { packetOf } from './arbitraries.ts';
import { decodeAll } from './decode-one.ts';

describe.each(protocolVersions)('packets of protocol level %i', (version) => {
  it('are the same after encoding and decoding', () => {
    fc.assert(
      fc.property(packetOf(version), (packet) => {
        expect(decodeAll(encodePacket(packet, version), version)).toEqual([packet]);
      }),
      { numRuns: 3000 },
    );
  });

  it('fit the maximum packet size of the receiver or are not encoded at all', () => {
    fc.assert(
      fc.property(packetOf(version), fc.integer({ min: 2, max: 120 }), (packet, maximumPacketSize) => {
        const whole = encodePacket(packet, version);
        const encoded = encodeWithin(packet, version, maximumPacketSize);
        if (whole.length <= maximumPacketSize) expect(encoded).toEqual(whole);
        if (encoded === null) return;
        expect(encoded.length).toBeLessThanOrEqual(maximumPacketSize);
        if (encoded.length === 0) return;
        const [decoded] = decodeAll(encoded, version);
        expect(withoutExplanation(decoded)).toEqual(withoutExplanation(packet));
      }),
      { numRuns: 2000 },
    );
  });
});

it('leaves user properties out before the reason string [MQTT-3.2.2-19] [MQTT-3.2.2-20]', () => {
  const packet: Packet = {
    type: 'puback',
    packetId: 1,
    reasonCode: 0x87,
    properties: { reasonString: 'no', userProperties: [['a', 'b']] },
  };
  const sizes = [4 + 1 + 1 + 5 + 7, 4 + 1 + 1 + 5, 4 + 1];
  expect(encodeWithin(packet, 5, sizes[0])?.length).toBe(sizes[0]);
  expect(encodeWithin(packet, 5, sizes[0] - 1)?.length).toBe(sizes[1]);
  expect(encodeWithin(packet, 5, sizes[1] - 1)?.length).toBe(sizes[2]);
  expect(encodeWithin(packet, 5, sizes[2] - 1)).toBeNull();
});

it('never thins a PUBLISH [MQTT-3.3.2-17]', () => {
  const packet: Packet = {
    type: 'publish',
    dup: false,
    qos: 0,
    retain: false,
    topic: 't',
    packetId: 0,
    properties: { userProperties: [['a', 'b']] },
    payload: Buffer.alloc(3),
  };
  const size = encodePacket(packet, 5).length;
  expect(encodeWithin(packet, 5, size)?.length).toBe(size);
  expect(encodeWithin(packet, 5, size - 1)).toBeNull();
});

function withoutExplanation(packet: Packet): unknown {
  if (!('properties' in packet) || packet.type === 'publish') return packet;
  const properties = { ...packet.properties };
  delete properties.userProperties;
  delete properties.reasonString;
  return { ...packet, properties };
}
