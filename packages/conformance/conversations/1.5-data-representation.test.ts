import { hex, prefixed, properties, rawConnect, rawPacket, uint16 } from '@dunlin/testkit';
import {
  connected,
  expectDisconnected,
  expectRefused,
  open,
  publish,
  receive,
  subscribed,
} from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { uniqueName } from '../src/packets-to-send.ts';

conversation(
  'ill-formed UTF-8 in the client identifier is refused',
  { 4: '[MQTT-1.5.3-1] [MQTT-3.1.3-4]', 5: '[MQTT-1.5.4-1] [MQTT-3.1.3-4]' },
  async (level) => {
    const client = await open(level);
    client.send(rawConnect({ level, payload: prefixed(hex('61 c3 28')) }));
    await expectRefused(client, [0x81, 0x82, 0x85]);
  },
);

conversation(
  'a surrogate in a topic name closes the connection',
  { 4: '[MQTT-1.5.3-1] [MQTT-3.3.2-1]', 5: '[MQTT-1.5.4-1] [MQTT-3.3.2-1]' },
  async (level) => {
    const client = await connected(level);
    client.send(rawPacket(0x30, prefixed(hex('61 ed a0 80')), ...(level === 5 ? [properties()] : [])));
    await expectDisconnected(client, 0x81, 0x82, 0x90);
  },
);

conversation(
  'U+0000 in a topic name closes the connection',
  { 4: '[MQTT-1.5.3-2] [MQTT-4.7.3-2]', 5: '[MQTT-1.5.4-2] [MQTT-4.7.3-2]' },
  async (level) => {
    const client = await connected(level);
    client.send(rawPacket(0x30, prefixed('a\u0000b'), ...(level === 5 ? [properties()] : [])));
    await expectDisconnected(client, 0x81, 0x82, 0x90);
  },
);

conversation('U+FEFF in a topic name is kept', { 4: '[MQTT-1.5.3-3]', 5: '[MQTT-1.5.4-3]' }, async (level) => {
  const topic = `\uFEFF${uniqueName()}/\uFEFF`;
  const subscriber = await subscribed(level, topic);
  await publish(await connected(level), { topic, payload: 'x' });
  await receive(subscriber, { topic, payload: 'x' });
});

conversation(
  'a remaining length of more than four bytes closes the connection',
  { 5: '[MQTT-1.5.5-1]' },
  async (level) => {
    const client = await connected(level);
    client.send(hex('30 ff ff ff ff 01'));
    await expectDisconnected(client, 0x81);
  },
);

conversation('the broker writes lengths in as few bytes as they need', { 5: '[MQTT-1.5.5-1]' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, topic);
  const publisher = await connected(level);
  const overhead = 2 + topic.length + 1;
  for (const remaining of [127, 128, 16_383, 16_384]) {
    await publish(publisher, { topic, payload: Buffer.alloc(remaining - overhead) });
    const frame = await subscriber.nextFrame();
    const lengthBytes = remaining < 128 ? 1 : remaining < 16_384 ? 2 : 3;
    if (frame.body.length !== remaining || frame.bytes.length !== 1 + lengthBytes + remaining) {
      throw new Error(`remaining length ${remaining} took ${frame.bytes.length - 1 - frame.body.length} bytes`);
    }
  }
});

conversation('ill-formed UTF-8 in a user property closes the connection', { 5: '[MQTT-1.5.7-1]' }, async (level) => {
  for (const pair of [
    [hex('ff'), hex('61')],
    [hex('61'), hex('c0 80')],
  ]) {
    const client = await connected(level);
    client.send(rawPacket(0x30, prefixed(uniqueName()), properties(hex('26'), prefixed(pair[0]), prefixed(pair[1]))));
    await expectDisconnected(client, 0x81, 0x82);
  }
});

conversation(
  'ill-formed UTF-8 in a topic filter closes the connection',
  { 4: '[MQTT-3.8.3-1] [MQTT-3.10.3-1]', 5: '[MQTT-3.8.3-1] [MQTT-3.10.3-1]' },
  async (level) => {
    const bad = prefixed(hex('61 2f f8 88 80 80 80'));
    const none = level === 5 ? [properties()] : [];
    for (const packet of [
      rawPacket(0x82, uint16(1), ...none, bad, hex('00')),
      rawPacket(0xa2, uint16(1), ...none, bad),
    ]) {
      const client = await connected(level);
      client.send(packet);
      await expectDisconnected(client, 0x81, 0x82, 0x8f);
    }
  },
);
