import { hex, prefixed, properties, rawPacket, uint16 } from '@dunlin/testkit';
import { expect } from 'vitest';
import { connected } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { subscribePacket, uniqueName } from '../src/packets-to-send.ts';

conversation(
  'the codes of SUBACK are of its table, in the order of the filters, also where one is refused',
  { 5: '[MQTT-3.9.3-1] [MQTT-3.9.3-2]' },
  async (level) => {
    const topic = uniqueName();
    const client = await connected(level);
    client.send(subscribePacket([{ filter: topic, qos: 1 }, { filter: `${topic}/#/b` }, { filter: topic, qos: 2 }]));
    const packet = await client.next();
    // A filter that breaks the rules may be refused alone, or end the connection.
    if (packet.type === 'disconnect') {
      await client.expectClosed();
      return;
    }
    expect(packet).toMatchObject({ type: 'suback', reasonCodes: [1, 0x8f, 2] });
  },
);

conversation('the codes of SUBACK are 0, 1, 2 and 0x80', { 4: '[MQTT-3.9.3-2]' }, async (level) => {
  const topic = uniqueName();
  const client = await connected(level);
  client.send(subscribePacket([{ filter: topic, qos: 1 }, { filter: `${topic}/#/b` }, { filter: '$SYS/#' }]));
  const packet = await client.next().catch(() => undefined);
  if (packet === undefined) {
    await client.expectClosed();
    return;
  }
  expect(packet.type).toBe('suback');
  if (packet.type === 'suback') {
    for (const code of packet.reasonCodes) expect(code).toBeOneOf([0, 1, 2, 0x80]);
  }
});

conversation(
  'SUBACK fits the maximum packet size of the client',
  { 5: '[MQTT-3.9.2-1] [MQTT-3.9.2-2]' },
  async (level) => {
    const client = await connected(level, { properties: { maximumPacketSize: 24 } });
    client.send(rawPacket(0x82, uint16(1), properties(), prefixed('$share//x'), hex('00')));
    const { bytes } = await client.nextFrame();
    expect(bytes.length).toBeLessThanOrEqual(24);
  },
);
