import { expect } from 'vitest';
import { connected } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { ackPacket, publishPacket, uniqueName } from '../src/packets-to-send.ts';

conversation('PUBCOMP has a reason code of its table', { 5: '[MQTT-3.7.2-1]' }, async (level) => {
  const client = await connected(level);
  client.send(publishPacket({ topic: uniqueName(), qos: 2 }));
  await client.expect('pubrec');
  client.send(ackPacket('pubrel', 1));
  await client.expectPacket({ type: 'pubcomp', packetId: 1, reasonCode: 0 });
  client.send(ackPacket('pubrel', 4_711));
  const packet = await client.expectPacket({ type: 'pubcomp', packetId: 4_711 });
  expect(packet.reasonCode).toBeOneOf([0x00, 0x92]);
});

conversation(
  'PUBCOMP fits the maximum packet size of the client',
  { 5: '[MQTT-3.7.2-2] [MQTT-3.7.2-3]' },
  async (level) => {
    const client = await connected(level, { properties: { maximumPacketSize: 24 } });
    client.send(ackPacket('pubrel', 4_711));
    expect((await client.nextFrame()).bytes.length).toBeLessThanOrEqual(24);
  },
);

conversation(
  'a PUBREL for nothing is answered with PUBCOMP',
  { 4: '[MQTT-4.3.3-2]', 5: '[MQTT-4.3.3-11]' },
  async (level) => {
    const client = await connected(level);
    client.send(ackPacket('pubrel', 4_711));
    await client.expectPacket({ type: 'pubcomp', packetId: 4_711 });
  },
);
