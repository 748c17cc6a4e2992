import { rawPacket, uint16 } from '@dunlin/testkit';
import { expect } from 'vitest';
import { connected, expectDisconnected, publish, subscribed } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { ackPacket, publishPacket, uniqueName } from '../src/packets-to-send.ts';

conversation(
  'PUBREL with other flags than 0010 closes the connection',
  { 4: '[MQTT-3.6.1-1]', 5: '[MQTT-3.6.1-1]' },
  async (level) => {
    for (const firstByte of [0x60, 0x63, 0x6f]) {
      const client = await connected(level);
      client.send(publishPacket({ topic: uniqueName(), qos: 2 }));
      await client.expect('pubrec');
      client.send(rawPacket(firstByte, uint16(1)));
      await expectDisconnected(client, 0x81);
    }
  },
);

conversation(
  'PUBREL has the flags 0010 and a reason code of its table',
  { 4: '[MQTT-3.6.1-1]', 5: '[MQTT-3.6.1-1] [MQTT-3.6.2-1]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, { filter: topic, qos: 2 });
    await publish(await connected(level), { topic, qos: 2 });
    const { packetId } = await subscriber.expect('publish');
    subscriber.send(ackPacket('pubrec', packetId));
    const frame = await subscriber.nextFrame();
    expect(frame.firstByte).toBe(0x62);
    expect(frame.body.readUInt16BE(0)).toBe(packetId);
    expect(frame.body[2] ?? 0).toBe(0);
  },
);

conversation(
  'a PUBREC for nothing is answered with a PUBREL of its table, and it fits',
  { 5: '[MQTT-3.6.2-1] [MQTT-3.6.2-2] [MQTT-3.6.2-3]' },
  async (level) => {
    const client = await connected(level, { properties: { maximumPacketSize: 24 } });
    client.send(ackPacket('pubrec', 4_711));
    const frame = await client.nextFrame();
    expect(frame.bytes.length).toBeLessThanOrEqual(24);
    if (frame.firstByte === 0x62) expect(frame.body[2] ?? 0).toBeOneOf([0x00, 0x92]);
    else expect(frame.firstByte).toBe(0xe0);
  },
);
