import { hex, prefixed, properties, rawPacket, uint16 } from '@dunlin/testkit';
import { expect } from 'vitest';
import {
  connected,
  connectedWith,
  expectDisconnected,
  publish,
  receive,
  subscribe,
  subscribed,
} from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { publishPacket, subscribePacket, uniqueName, unsubscribePacket } from '../src/packets-to-send.ts';

/** Packets with reserved flags set, for each version. */
const wrongFlags: readonly [string, () => Buffer][] = [
  ['PUBACK', () => rawPacket(0x41, uint16(1))],
  ['PUBREC', () => rawPacket(0x51, uint16(1))],
  ['PUBCOMP', () => rawPacket(0x71, uint16(1))],
  ['PINGREQ', () => hex('c1 00')],
];

for (const [name, packet] of wrongFlags) {
  conversation(
    `reserved flags in ${name} close the connection`,
    { 4: '[MQTT-2.2.2-1] [MQTT-2.2.2-2]', 5: '[MQTT-2.1.3-1]' },
    async (level) => {
      const client = await connected(level);
      client.send(packet());
      await expectDisconnected(client, 0x81);
    },
  );
}

/** Packets that only a server sends, or nobody. */
const notForServers: readonly [string, Buffer][] = [
  ['the forbidden packet type 0', hex('00 00')],
  ['CONNACK', hex('20 02 00 00')],
  ['SUBACK', hex('90 03 00 01 00')],
  ['UNSUBACK', hex('b0 02 00 01')],
  ['PINGRESP', hex('d0 00')],
];

for (const [name, packet] of notForServers) {
  conversation(
    `${name} from a client closes the connection`,
    { 4: '[MQTT-4.8.0-1]', 5: '[MQTT-4.13.1-1]' },
    async (level) => {
      const client = await connected(level);
      client.send(packet);
      await expectDisconnected(client, 0x81, 0x82);
    },
  );
}

conversation('AUTH does not exist before MQTT 5.0', { 4: '[MQTT-4.8.0-1]' }, async (level) => {
  const client = await connected(level);
  client.send(hex('f0 00'));
  await expectDisconnected(client);
});

conversation(
  'a QoS 0 message comes without packet identifier',
  { 4: '[MQTT-2.3.1-5]', 5: '[MQTT-2.2.1-2]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, topic);
    await publish(await connected(level), { topic, payload: 'x' });
    const none = level === 5 ? [properties()] : [];
    await subscriber.expectBytes(rawPacket(0x30, prefixed(topic), ...none, Buffer.from('x')));
  },
);

conversation(
  'packet identifier 0 closes the connection',
  { 4: '[MQTT-2.3.1-1]', 5: '[MQTT-4.13.1-1]' },
  async (level) => {
    const none = level === 5 ? [properties()] : [];
    const packets = [
      rawPacket(0x32, prefixed('a'), uint16(0), ...none),
      rawPacket(0x34, prefixed('a'), uint16(0), ...none),
      rawPacket(0x82, uint16(0), ...none, prefixed('a'), hex('00')),
      rawPacket(0xa2, uint16(0), ...none, prefixed('a')),
    ];
    for (const packet of packets) {
      const client = await connected(level);
      client.send(packet);
      await expectDisconnected(client, 0x81, 0x82);
    }
  },
);

conversation(
  'messages in flight have identifiers of their own, none 0',
  {
    4: '[MQTT-2.3.1-1] [MQTT-2.3.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1]',
    5: '[MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1]',
  },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, { filter: topic, qos: 2 });
    const publisher = await connected(level);
    const identifiers = new Set<number>();
    for (let count = 0; count < 20; count += 1) {
      await publish(publisher, { topic, qos: count % 2 === 0 ? 1 : 2 });
      const packet = await subscriber.expect('publish');
      expect(packet.packetId).toBeGreaterThan(0);
      identifiers.add(packet.packetId);
    }
    expect(identifiers.size).toBe(20);
  },
);

conversation(
  'acknowledgements carry the identifier of what they acknowledge',
  {
    4: '[MQTT-2.3.1-6] [MQTT-2.3.1-7] [MQTT-3.8.4-2] [MQTT-3.10.4-4]',
    5: '[MQTT-2.2.1-5] [MQTT-2.2.1-6] [MQTT-3.8.4-2] [MQTT-3.10.4-5]',
  },
  async (level) => {
    const topic = uniqueName();
    const client = await connected(level);
    for (const packetId of [1, 255, 256, 65_535]) {
      client.send(subscribePacket([{ filter: `${topic}/other` }], packetId));
      await client.expectPacket({ type: 'suback', packetId });
      await publish(client, { topic, qos: 1, packetId });
      await publish(client, { topic, qos: 2, packetId });
      client.send(unsubscribePacket([`${topic}/other`], packetId));
      await client.expectPacket({ type: 'unsuback', packetId });
    }
  },
);

conversation(
  'identifiers of the two sides are independent',
  { 4: '[MQTT-2.3.1-4]', 5: '[MQTT-2.2.1-4]' },
  async (level) => {
    const topic = uniqueName();
    const client = await connected(level);
    await subscribe(client, { filter: topic, qos: 1 });
    client.send(publishPacket({ topic, qos: 1, packetId: 1, payload: 'x' }));
    const kinds = new Set<string>();
    for (let count = 0; count < 2; count += 1) {
      const packet = await client.next();
      kinds.add(packet.type);
      if (packet.type === 'puback') expect(packet.packetId).toBe(1);
    }
    expect([...kinds].sort()).toEqual(['puback', 'publish']);
  },
);

conversation('packets without properties have a property length of 0', { 5: '[MQTT-2.2.2-1]' }, async (level) => {
  const topic = uniqueName();
  const { client } = await connectedWith(level);
  client.send(subscribePacket([{ filter: topic }], 7));
  await client.expectBytes(rawPacket(0x90, uint16(7), hex('00 00')));
  client.send(publishPacket({ topic, payload: 'x' }));
  await client.expectBytes(rawPacket(0x30, prefixed(topic), hex('00'), Buffer.from('x')));
  client.send(unsubscribePacket([topic], 8));
  await client.expectBytes(rawPacket(0xb0, uint16(8), hex('00 00')));
});

conversation('a property that a packet may not have closes the connection', { 5: '[MQTT-4.13.1-1]' }, async (level) => {
  const topic = prefixed(uniqueName());
  const packets = [
    // Receive maximum in PUBLISH, content type in SUBSCRIBE, an identifier that does not exist.
    rawPacket(0x30, topic, properties(hex('21 00 0a'))),
    rawPacket(0x82, uint16(1), properties(hex('03'), prefixed('t')), topic, hex('00')),
    rawPacket(0x30, topic, properties(hex('7e 01'))),
  ];
  for (const packet of packets) {
    const client = await connected(level);
    client.send(packet);
    await expectDisconnected(client, 0x81, 0x82);
  }
});

conversation('a property that stands twice closes the connection', { 5: '[MQTT-4.13.1-1]' }, async (level) => {
  const topic = prefixed(uniqueName());
  const packets = [
    rawPacket(0x30, topic, properties(hex('01 01 01 01'))),
    rawPacket(0x30, topic, properties(hex('02 00000001 02 00000001'))),
    rawPacket(0x82, uint16(1), properties(hex('0b 01 0b 02')), topic, hex('00')),
  ];
  for (const packet of packets) {
    const client = await connected(level);
    client.send(packet);
    await expectDisconnected(client, 0x82);
  }
});

conversation('messages keep their identifier when they are sent again', { 4: '[MQTT-2.3.1-4]' }, async (level) => {
  const topic = uniqueName();
  const clientId = uniqueName();
  const subscriber = await subscribed(level, { filter: topic, qos: 1 }, { clientId, cleanStart: false });
  await publish(await connected(level), { topic, qos: 1, payload: 'x' });
  const { packetId } = await subscriber.expect('publish');
  await subscriber.drop();
  const again = await connected(level, { clientId, cleanStart: false });
  await receive(again, { topic, packetId, dup: true });
});
