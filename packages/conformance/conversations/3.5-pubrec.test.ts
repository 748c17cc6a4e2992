import { expect } from 'vitest';
import { connected } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { ackPacket, publishPacket, uniqueName } from '../src/packets-to-send.ts';

conversation('PUBREC has a reason code of its table', { 5: '[MQTT-3.5.2-1]' }, async (level) => {
  const topic = uniqueName();
  const client = await connected(level);
  client.send(publishPacket({ topic, qos: 2, packetId: 1 }));
  const alone = await client.expectPacket({ type: 'pubrec', packetId: 1 });
  expect(alone.reasonCode).toBeOneOf([0x00, 0x10]);
  client.send(publishPacket({ topic: `$SYS/${topic}`, qos: 2, packetId: 2 }));
  expect((await client.next()).type).toBeOneOf(['pubrec', 'disconnect']);
});

conversation(
  'PUBREC fits the maximum packet size of the client',
  { 5: '[MQTT-3.5.2-2] [MQTT-3.5.2-3]' },
  async (level) => {
    const client = await connected(level, { properties: { maximumPacketSize: 24 } });
    for (const topic of [uniqueName(), `$SYS/${uniqueName()}`]) {
      client.send(publishPacket({ topic, qos: 2 }));
      expect((await client.nextFrame()).bytes.length).toBeLessThanOrEqual(24);
      client.send(ackPacket('pubrel', 1));
      expect((await client.nextFrame()).bytes.length).toBeLessThanOrEqual(24);
    }
  },
);
