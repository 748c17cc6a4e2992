import { hex, prefixed, properties, rawConnect, rawPacket, uint16, variableByteInteger } from '@dunlin/testkit';
import { expect } from 'vitest';
import {
  connected,
  connectedWith,
  expectDisconnected,
  expectRefused,
  open,
  publish,
  receive,
  subscribed,
} from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { connectPacket, publishPacket, uniqueName } from '../src/packets-to-send.ts';
import type { Level } from '../src/statement.ts';

const none = (level: Level) => (level === 5 ? [properties()] : []);

/** Strings that are not UTF-8, or that MQTT does not allow. */
const badStrings: readonly [string, Buffer][] = [
  ['a lone continuation byte', hex('80')],
  ['a cut-off sequence', hex('61 c3')],
  ['a sequence of two for ASCII', hex('c1 81')],
  ['a sequence of three for U+007F', hex('e0 81 bf')],
  ['a high surrogate', hex('ed a0 80')],
  ['a low surrogate', hex('ed bf bf')],
  ['a code point above U+10FFFF', hex('f4 90 80 80')],
  ['a byte that UTF-8 never has', hex('61 ff')],
  ['U+0000', hex('61 00')],
  ['U+0000 in two bytes', hex('c0 80')],
];

for (const [says, text] of badStrings) {
  const cited = {
    4: /U\+0000$/.test(says) ? '[MQTT-1.5.3-2]' : '[MQTT-1.5.3-1]',
    5: /U\+0000$/.test(says) ? '[MQTT-1.5.4-2]' : '[MQTT-1.5.4-1]',
  };
  conversation(`${says} is refused in client identifier, user name and will topic`, cited, async (level) => {
    const id = prefixed(uniqueName());
    const bad = prefixed(text);
    const refused = [
      { flags: 0x02, payload: bad },
      { flags: 0x82, payload: Buffer.concat([id, bad]) },
      { flags: 0x06, payload: Buffer.concat([id, ...none(level), bad, prefixed('gone')]) },
    ];
    for (const { flags, payload } of refused) {
      const client = await open(level);
      client.send(rawConnect({ level, flags, payload }));
      await expectRefused(client, [0x81, 0x82, 0x85, 0x90]);
    }
  });
  conversation(`${says} closes the connection in topic names and filters`, cited, async (level) => {
    const bad = prefixed(text);
    for (const packet of [
      rawPacket(0x30, bad, ...none(level), Buffer.from('x')),
      rawPacket(0x32, bad, uint16(1), ...none(level), Buffer.from('x')),
      rawPacket(0x82, uint16(1), ...none(level), bad, hex('00')),
      rawPacket(0xa2, uint16(1), ...none(level), bad),
    ]) {
      const client = await connected(level);
      client.send(packet);
      await expectDisconnected(client, 0x81, 0x82, 0x8f, 0x90);
    }
  });
  conversation(`${says} closes the connection in string properties`, { 5: cited[5] }, async (level) => {
    const bad = prefixed(text);
    const topic = prefixed(uniqueName());
    for (const packet of [
      rawPacket(0x30, topic, properties(hex('03'), bad)),
      rawPacket(0x30, topic, properties(hex('08'), bad)),
      rawPacket(0x30, topic, properties(hex('26'), bad, prefixed('value'))),
      rawPacket(0x30, topic, properties(hex('26'), prefixed('name'), bad)),
      rawPacket(0xe0, hex('00'), properties(hex('1f'), bad)),
    ]) {
      const client = await connected(level);
      client.send(packet);
      await expectDisconnected(client, 0x81, 0x82, 0x90);
    }
  });
}

conversation('a slow sender is understood byte by byte', { 4: '', 5: '' }, async (level) => {
  const topic = uniqueName();
  const client = await open(level);
  await client.sendByteByByte(rawConnect({ level, payload: prefixed(uniqueName()) }));
  await client.expectPacket({ type: 'connack', reasonCode: 0 });
  await client.sendByteByByte(rawPacket(0x82, uint16(1), ...none(level), prefixed(topic), hex('01')));
  await client.expectPacket({ type: 'suback', packetId: 1, reasonCodes: [1] });
  await client.sendByteByByte(rawPacket(0x32, prefixed(topic), uint16(7), ...none(level), Buffer.alloc(200, 'x')));
  const kinds = [(await client.next()).type, (await client.next()).type];
  expect(kinds.sort()).toEqual(['puback', 'publish']);
});

conversation('many packets in one write, the last one cut, are understood', { 4: '', 5: '' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, topic);
  const client = await connected(level);
  const packet = (text: string) => rawPacket(0x30, prefixed(topic), ...none(level), Buffer.from(text));
  const last = packet('the end');
  client.send(...Array.from({ length: 100 }, (_, count) => packet(`${count}`)), last.subarray(0, 5));
  for (let count = 0; count < 100; count += 1) await receive(subscriber, { payload: `${count}` });
  client.send(last.subarray(5));
  await receive(subscriber, { payload: 'the end' });
});

conversation('half a packet is no packet when the connection ends', { 4: '', 5: '' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, topic);
  const gone = `${topic}/gone`;
  const listener = await subscribed(level, gone);
  const will = { topic: gone, payload: Buffer.from('gone'), qos: 0 as const, retain: false, properties: {} };
  const client = await connected(level, { will });
  client.send(rawPacket(0x30, prefixed(topic), ...none(level), Buffer.from('half of it')).subarray(0, -3));
  await client.drop();
  await receive(listener, { topic: gone });
  await publish(await connected(level), { topic, payload: 'marker' });
  await receive(subscriber, { topic, payload: 'marker' });
});

conversation(
  'a packet announced with 256 MB is refused before it comes',
  { 5: '[MQTT-3.2.2-15]' },
  async (level, skip) => {
    const { client, connack } = await connectedWith(level);
    if (connack.properties.maximumPacketSize === undefined) skip('the broker has no maximum packet size');
    client.send(Buffer.concat([hex('30'), variableByteInteger(268_435_455), prefixed(uniqueName())]));
    await expectDisconnected(client, 0x95);
  },
);

conversation(
  'a packet larger than the maximum packet size of the broker is refused',
  { 5: '[MQTT-3.2.2-15]' },
  async (level, skip) => {
    const { client, connack } = await connectedWith(level);
    const { maximumPacketSize = 268_435_460 } = connack.properties;
    if (maximumPacketSize > 4_000_000) skip('the maximum packet size of the broker is too large to reach it');
    const topic = uniqueName();
    const header = 1 + variableByteInteger(maximumPacketSize).length + 2 + topic.length + 2 + 1;
    client.send(publishPacket({ topic, qos: 1, payload: Buffer.alloc(maximumPacketSize - header) }));
    await client.expectPacket({ type: 'puback' });
    client.send(publishPacket({ topic, qos: 1, payload: Buffer.alloc(maximumPacketSize - header + 1) }));
    await expectDisconnected(client, 0x95);
  },
);

conversation('a CONNECT announced with 256 MB is not waited for', { 4: '', 5: '' }, async (level, skip) => {
  const { connack } = await connectedWith(5);
  if (connack.properties.maximumPacketSize === undefined) skip('the broker has no maximum packet size');
  const client = await open(level);
  client.send(Buffer.concat([hex('10 ff ff ff 7f'), prefixed('MQTT'), Buffer.from([level, 2])]));
  const packets = await client.untilClosed();
  expect(packets.length).toBeLessThanOrEqual(1);
});

conversation(
  'a client identifier of 65,535 bytes is served or refused',
  { 4: '[MQTT-3.1.3-9]', 5: '[MQTT-3.1.3-8]' },
  async (level) => {
    const client = await open(level);
    const clientId = uniqueName().padEnd(65_535, 'x');
    client.send(connectPacket(level, { clientId }));
    const packet = await client.next().catch(() => undefined);
    if (packet?.type === 'connack' && packet.reasonCode === 0) {
      await client.expectNothing();
      return;
    }
    // A server may also limit the size of CONNECT.
    if (packet !== undefined) {
      expect(packet.type).toBe('connack');
      expect(level === 5 ? [0x85, 0x95] : [2]).toContain(packet.type === 'connack' ? packet.reasonCode : 0);
    }
    await client.expectClosed();
  },
);

conversation(
  'a connection without CONNECT is closed within ten seconds',
  { 4: '[MQTT-3.1.0-1]', 5: '[MQTT-3.1.0-1]' },
  async (level) => {
    const silent = await open(level);
    const slow = await open(level);
    slow.send(rawConnect({ level, payload: prefixed(uniqueName()) }).subarray(0, 10));
    await Promise.all([silent.expectClosed(13_000), slow.expectClosed(13_000)]);
  },
);

conversation('user name and password of 65,535 bytes are taken or refused', { 4: '', 5: '' }, async (level) => {
  const client = await open(level);
  client.send(connectPacket(level, { userName: 'u'.repeat(65_535), password: Buffer.alloc(65_535) }));
  const packet = await client.next().catch(() => undefined);
  if (packet !== undefined) expect(packet.type).toBe('connack');
  if (packet?.type === 'connack' && packet.reasonCode === 0) await client.expectNothing();
  else await client.expectClosed();
});

/** CONNECTs that are wrong in one place, with the reason codes that fit. */
const wrongConnects: readonly [string, (level: Level) => Buffer, readonly number[]][] = [
  ['a CONNECT cut off in its protocol name', () => hex('10 04 00 04 4d 51'), [0x81, 0x84]],
  ['a CONNECT without a body', () => hex('10 00'), [0x81, 0x84]],
  [
    'a CONNECT that ends after its flags',
    (level) => rawPacket(0x10, prefixed('MQTT'), Buffer.from([level, 2])),
    [0x81],
  ],
  [
    'a CONNECT whose client identifier is longer than the packet',
    (level) => rawConnect({ level, payload: hex('00 09 61') }),
    [0x81],
  ],
  [
    'a CONNECT with bytes after its payload',
    (level) => rawConnect({ level, payload: Buffer.concat([prefixed('a'), hex('00')]) }),
    [0x81, 0x82],
  ],
  [
    'a CONNECT with a password flag and nothing in it',
    (level) => rawConnect({ level, flags: 0xc2, payload: Buffer.concat([prefixed('a'), prefixed('u')]) }),
    [0x81],
  ],
];

for (const [says, packet, codes] of wrongConnects) {
  conversation(`${says} is refused`, { 4: '[MQTT-3.1.4-1]', 5: '[MQTT-3.1.4-1]' }, async (level) => {
    const client = await open(level);
    client.send(packet(level));
    const packets = await client.untilClosed();
    expect(packets.length).toBeLessThanOrEqual(level === 5 ? 1 : 0);
    for (const answer of packets) {
      expect(answer).toMatchObject({
        type: 'connack',
        sessionPresent: false,
        reasonCode: expect.toBeOneOf([...codes]),
      });
    }
  });
}

/** Properties of a CONNECT that are wrong, with the reason codes that fit. */
const wrongConnectProperties: readonly [string, Buffer, readonly number[]][] = [
  ['an identifier that does not exist', hex('7f 00'), [0x81, 0x82]],
  ['a property of another packet', hex('23 00 01'), [0x81, 0x82]],
  ['a property cut off', hex('11 00 00'), [0x81]],
  ['a session expiry interval that stands twice', hex('11 00000001 11 00000001'), [0x82]],
  ['a receive maximum of 0', hex('21 0000'), [0x82]],
  ['a maximum packet size of 0', hex('27 00000000'), [0x82]],
  ['a request problem information of 2', hex('17 02'), [0x82]],
  ['a request response information of 2', hex('19 02'), [0x82]],
];

for (const [says, wrong, codes] of wrongConnectProperties) {
  conversation(`a CONNECT with ${says} is refused`, { 5: '[MQTT-3.1.4-1] [MQTT-4.13.1-1]' }, async (level) => {
    const client = await open(level);
    client.send(rawConnect({ level, properties: wrong, payload: prefixed(uniqueName()) }));
    await expectRefused(client, codes);
  });
}

conversation('a property length beyond the packet is refused in CONNECT', { 5: '[MQTT-3.1.4-1]' }, async (level) => {
  const client = await open(level);
  client.send(rawPacket(0x10, prefixed('MQTT'), Buffer.from([5, 2, 0, 0]), variableByteInteger(200), prefixed('a')));
  await expectRefused(client, [0x81]);
});

/** Packets that are cut off or too long, from a client that was accepted. */
const wrongPackets: readonly [string, (level: Level) => Buffer, readonly number[]][] = [
  ['a PUBLISH with a topic beyond the packet', () => hex('30 04 00 09 61 62'), [0x81]],
  ['a QoS 1 PUBLISH without an identifier', () => hex('32 03 00 01 61'), [0x81]],
  ['a PUBACK without an identifier', () => hex('40 00'), [0x81]],
  ['a PUBACK of one byte', () => hex('40 01 00'), [0x81]],
  ['a PUBREC without an identifier', () => hex('50 00'), [0x81]],
  ['a PUBREL without an identifier', () => hex('62 00'), [0x81]],
  ['a PUBCOMP without an identifier', () => hex('70 00'), [0x81]],
  ['a SUBSCRIBE without an identifier', () => hex('82 00'), [0x81, 0x82]],
  [
    'a SUBSCRIBE with a filter beyond the packet',
    (level) => rawPacket(0x82, uint16(1), ...none(level), hex('00 09 61')),
    [0x81],
  ],
  ['an UNSUBSCRIBE without an identifier', () => hex('a2 00'), [0x81, 0x82]],
  ['a remaining length of five bytes', () => hex('c0 80 80 80 80 01'), [0x81]],
];

for (const [says, packet, codes] of wrongPackets) {
  conversation(`${says} closes the connection`, { 4: '[MQTT-4.8.0-1]', 5: '[MQTT-4.13.1-1]' }, async (level) => {
    const client = await connected(level);
    client.send(packet(level));
    await expectDisconnected(client, ...codes);
  });
}

/** Properties of a PUBLISH that are wrong, with the reason codes that fit. */
const wrongPublishProperties: readonly [string, Buffer, readonly number[]][] = [
  ['a property length beyond the packet', hex('7f'), [0x81]],
  ['a property length that is not minimal and beyond the packet', hex('ff ff ff ff 7f'), [0x81]],
  ['an identifier that does not exist', properties(hex('7e 00')), [0x81, 0x82]],
  ['a property of another packet', properties(hex('11 00000001')), [0x81, 0x82]],
  ['two message expiry intervals', properties(hex('02 00000001 02 00000001')), [0x82]],
  ['two content types', properties(hex('03'), prefixed('a'), hex('03'), prefixed('a')), [0x82]],
  ['correlation data beyond its properties', properties(hex('09 00 09 61')), [0x81]],
];

for (const [says, wrong, codes] of wrongPublishProperties) {
  conversation(`a PUBLISH with ${says} closes the connection`, { 5: '[MQTT-4.13.1-1]' }, async (level) => {
    const client = await connected(level);
    client.send(rawPacket(0x30, prefixed(uniqueName()), wrong));
    await expectDisconnected(client, ...codes);
  });
}

conversation('bytes of another protocol close the connection', { 4: '', 5: '' }, async (level) => {
  for (const bytes of [
    Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    hex('16 03 01 02 00 01 00 01 fc 03 03'),
    Buffer.alloc(64, 0xff),
  ]) {
    const client = await open(level);
    client.send(bytes);
    expect(await client.untilClosed()).toEqual([]);
  }
});

conversation('one bad client does no harm to others', { 4: '', 5: '' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, { filter: topic, qos: 1 });
  const publisher = await connected(level);
  for (const [, packet] of wrongPackets) {
    const bad = await connected(level);
    bad.send(packet(level));
    await publish(publisher, { topic, qos: 1, payload: 'undisturbed' });
    await receive(subscriber, { topic, payload: 'undisturbed' });
  }
});
