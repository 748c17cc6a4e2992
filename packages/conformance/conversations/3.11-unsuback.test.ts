import { expect } from 'vitest';
import { connected, subscribed } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { uniqueName, unsubscribePacket } from '../src/packets-to-send.ts';

conversation(
  'the codes of UNSUBACK are of its table, in the order of the filters',
  { 5: '[MQTT-3.11.3-1] [MQTT-3.11.3-2]' },
  async (level) => {
    const topic = uniqueName();
    const client = await subscribed(level, [{ filter: `${topic}/a` }, { filter: `${topic}/b` }]);
    client.send(unsubscribePacket([`${topic}/none`, `${topic}/b`, `${topic}/a`, `${topic}/a`], 2));
    await client.expectPacket({ type: 'unsuback', packetId: 2, reasonCodes: [0x11, 0, 0, 0x11] });
  },
);

conversation(
  'UNSUBACK fits the maximum packet size of the client',
  { 5: '[MQTT-3.11.2-1] [MQTT-3.11.2-2]' },
  async (level) => {
    const client = await connected(level, { properties: { maximumPacketSize: 24 } });
    client.send(unsubscribePacket(['none']));
    const { bytes } = await client.nextFrame();
    expect(bytes.length).toBeLessThanOrEqual(24);
  },
);
