import {
  type ConnectPacket,
  Decoder,
  decodePacket,
  encodePacket,
  type Packet,
  type ProtocolVersion,
} from '@dunlin/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeAcknowledgement,
  encodeConnect,
  encodeEmpty,
  encodePublish,
  encodeSubscribe,
  MalformedPacketError,
  packetType,
  type QoS,
  readAcknowledgement,
  readConnack,
  readDisconnect,
  readPublish,
  readSuback,
  utf8,
} from '../src/codec.ts';
import { PacketReader } from '../src/packet-reader.ts';

// The codec of the scenarios against the one of the broker: what one writes, the other reads.

const versions = [4, 5] as const;
const sizeMax = 1_000_000;

/** Packet as the broker's codec reads it. */
function decode(bytes: Uint8Array, version: ProtocolVersion): Packet {
  const found: Packet[] = [];
  const sink = {
    packet: (header: number, chunk: Buffer, _start: number, bodyStart: number, end: number) => {
      found.push(decodePacket(header, chunk, bodyStart, end, version));
      return true;
    },
  };
  const decoder = new Decoder(sink, sizeMax);
  if (bytes[0] >> 4 !== packetType.connect) decoder.version = version;
  decoder.push(Buffer.from(bytes));
  expect(found).toHaveLength(1);
  return found[0];
}

interface Whole {
  readonly header: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** The packets in these bytes, cut into frames of this size. */
function read(bytes: Uint8Array, frameBytes = bytes.length): Whole[] {
  const packets: Whole[] = [];
  const reader = new PacketReader((header, whole, start, end) => packets.push({ header, bytes: whole, start, end }));
  for (let at = 0; at < bytes.length; at += frameBytes) reader.push(bytes.slice(at, at + frameBytes));
  return packets;
}

/** Packet as the broker writes it, in plain bytes. */
function encoded(packet: Packet, version: ProtocolVersion): Whole {
  const [whole, ...more] = read(new Uint8Array(encodePacket(packet, version)));
  expect(more).toEqual([]);
  return whole;
}

const packetIds = fc.integer({ min: 1, max: 65_535 });
const qualities = fc.constantFrom<QoS>(0, 1, 2);
const texts = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .filter((text) => !text.includes('\0') && text.isWellFormed());
const topics = texts.filter((text) => text !== '' && !/[+#]/.test(text));

test('text is the same in UTF-8', () => {
  fc.assert(fc.property(texts, (text) => Buffer.compare(utf8(text), Buffer.from(text)) === 0));
});

describe.each(versions)('version %i', (version) => {
  test('CONNECT is what the broker reads', () => {
    const connects = fc.record({
      clientId: topics,
      cleanStart: fc.boolean(),
      sessionExpirySeconds: fc.nat({ max: 0xffffffff }),
      keepAliveSeconds: fc.nat({ max: 65_535 }),
      username: texts,
      password: fc.option(texts),
    });
    fc.assert(
      fc.property(connects, (connect) => {
        const packet = decode(encodeConnect({ version, ...connect }), version) as { type: string } & ConnectPacket;
        expect(packet).toMatchObject({
          type: 'connect',
          version,
          clientId: connect.clientId,
          keepAliveSeconds: connect.keepAliveSeconds,
          userName: connect.username,
        });
        expect(packet.password?.toString() ?? null).toBe(connect.password);
        if (version === 5) expect(packet.properties.sessionExpiryInterval ?? 0).toBe(connect.sessionExpirySeconds);
      }),
    );
  });

  test('PUBLISH is what the broker reads, and what it writes is read', () => {
    const publishes = fc.record({
      topic: topics,
      payload: fc.uint8Array({ maxLength: 20_000 }),
      qos: qualities,
      retain: fc.boolean(),
      packetId: packetIds,
    });
    fc.assert(
      fc.property(publishes, ({ topic, payload, qos, retain, packetId: id }) => {
        const packetId = qos === 0 ? 0 : id;
        const bytes = encodePublish({ topic: utf8(topic), payload, qos, retain, packetId }, version);
        const packet = decode(bytes, version);
        if (packet.type !== 'publish') throw new TypeError(packet.type);
        expect(packet).toMatchObject({ topic, qos, retain });
        expect(Buffer.compare(packet.payload, payload)).toBe(0);

        const whole = encoded({ ...packet, dup: qos > 0 }, version);
        const view = readPublish(whole.header, whole.bytes, whole.start, whole.end, version);
        expect(view).toMatchObject({ qos, retain, packetId, duplicate: qos > 0 });
        expect(Buffer.from(whole.bytes.subarray(view.topicStart, view.topicEnd)).toString()).toBe(topic);
        expect(Buffer.compare(whole.bytes.subarray(view.payloadStart, view.payloadEnd), payload)).toBe(0);
      }),
    );
  });

  test('SUBSCRIBE is what the broker reads', () => {
    fc.assert(
      fc.property(packetIds, topics, qualities, (packetId, filter, qos) => {
        const packet = decode(encodeSubscribe(packetId, `${filter}/+`, qos, version), version);
        expect(packet).toMatchObject({ type: 'subscribe', packetId, subscriptions: [{ filter: `${filter}/+`, qos }] });
      }),
    );
  });

  test.each([
    ['puback', packetType.puback],
    ['pubrec', packetType.pubrec],
    ['pubrel', packetType.pubrel],
    ['pubcomp', packetType.pubcomp],
  ] as const)('%s both ways', (type, number) => {
    for (const packetId of [1, 255, 256, 65_535]) {
      expect(decode(encodeAcknowledgement(number, packetId), version)).toMatchObject({ type, packetId });
      const refused = version === 5 && (type === 'puback' || type === 'pubrec') ? 0x87 : 0;
      const whole = encoded({ type, packetId, reasonCode: refused, properties: {} }, version);
      expect(whole.header >> 4).toBe(number);
      expect(readAcknowledgement(whole.bytes, whole.start, whole.end)).toEqual({ packetId, reasonCode: refused });
    }
  });

  test('PINGREQ and DISCONNECT are what the broker reads', () => {
    expect(decode(encodeEmpty(packetType.pingreq), version)).toEqual({ type: 'pingreq' });
    expect(decode(encodeEmpty(packetType.disconnect), version)).toMatchObject({ type: 'disconnect', reasonCode: 0 });
  });

  test('SUBACK is read', () => {
    const properties = version === 5 ? { reasonString: 'because' } : {};
    const whole = encoded({ type: 'suback', packetId: 7, reasonCodes: [0x80], properties }, version);
    expect(readSuback(whole.bytes, whole.start, whole.end, version)).toEqual({ packetId: 7, reasonCode: 0x80 });
  });

  test('CONNACK without properties is read', () => {
    const whole = encoded({ type: 'connack', sessionPresent: true, reasonCode: 0, properties: {} }, version);
    expect(readConnack(whole.bytes, whole.start, whole.end, version)).toEqual({
      sessionPresent: true,
      reasonCode: 0,
      receiveMaximum: 65_535,
      serverKeepAliveSeconds: null,
    });
  });
});

test('CONNACK with every property is read', () => {
  const properties = {
    sessionExpiryInterval: 1,
    receiveMaximum: 17,
    maximumQos: 1,
    retainAvailable: 1,
    maximumPacketSize: 1000,
    assignedClientIdentifier: 'assigned',
    topicAliasMaximum: 3,
    reasonString: 'x'.repeat(200),
    userProperties: [
      ['a', 'b'],
      ['', 'c'],
    ] as [string, string][],
    wildcardSubscriptionAvailable: 1,
    subscriptionIdentifiersAvailable: 1,
    sharedSubscriptionAvailable: 1,
    serverKeepAlive: 11,
    responseInformation: 'r',
    serverReference: 's',
    authenticationMethod: 'm',
    authenticationData: Buffer.from([1, 2, 3]),
  };
  const whole = encoded({ type: 'connack', sessionPresent: false, reasonCode: 0, properties }, 5);
  expect(readConnack(whole.bytes, whole.start, whole.end, 5)).toEqual({
    sessionPresent: false,
    reasonCode: 0,
    receiveMaximum: 17,
    serverKeepAliveSeconds: 11,
  });
});

test('DISCONNECT is read', () => {
  const whole = encoded({ type: 'disconnect', reasonCode: 0x8e, properties: {} }, 5);
  expect(readDisconnect(whole.bytes, whole.start, whole.end)).toBe(0x8e);
  expect(readDisconnect(new Uint8Array([0xe0, 0]), 2, 2)).toBe(0);
});

test('packets are put together from frames of any size', () => {
  const packets = [
    encodePublish({ topic: utf8('a'), payload: new Uint8Array(300), qos: 1, retain: false, packetId: 1 }, 5),
    encodeEmpty(packetType.pingreq),
    encodeAcknowledgement(packetType.puback, 9),
    encodePublish({ topic: utf8('b'), payload: new Uint8Array(20_000), qos: 0, retain: false, packetId: 0 }, 5),
  ];
  const bytes = new Uint8Array(Buffer.concat(packets));
  for (const frameBytes of [1, 2, 3, 7, 129, 1000, bytes.length]) {
    const found = read(bytes, frameBytes);
    expect(found.map(({ header }) => header)).toEqual(packets.map(([header]) => header));
    const lengths = found.map(({ start, end }) => end - start);
    expect(lengths).toEqual([306, 0, 2, 20_004]);
  }
});

test.each([
  ['a length of five bytes', () => read(new Uint8Array([0x30, 0x80, 0x80, 0x80, 0x80, 1]))],
  ['QoS 3', () => readPublish(0x36, new Uint8Array([0, 1, 97, 0, 1]), 0, 5, 4)],
  ['a topic longer than its packet', () => readPublish(0x30, new Uint8Array([0, 9, 97]), 0, 3, 4)],
  ['properties longer than their packet', () => readPublish(0x30, new Uint8Array([0, 1, 97, 5]), 0, 4, 5)],
  ['a number cut short', () => readAcknowledgement(new Uint8Array([1]), 0, 1)],
  ['SUBACK without a code', () => readSuback(new Uint8Array([0, 1]), 0, 2, 4)],
  ['CONNACK of one byte', () => readConnack(new Uint8Array([0]), 0, 1, 4)],
  ['CONNACK with a property of CONNECT', () => readConnack(new Uint8Array([0, 0, 3, 1, 1, 1]), 0, 6, 5)],
] as const)('malformed: %s', (_, run) => {
  expect(run).toThrow(MalformedPacketError);
});
