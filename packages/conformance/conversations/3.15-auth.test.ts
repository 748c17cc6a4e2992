import { hex, prefixed, properties, rawConnect, rawPacket } from '@dunlin/testkit';
import { connected, expectDisconnected, expectRefused, open } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { uniqueName } from '../src/packets-to-send.ts';

conversation('AUTH with flags closes the connection', { 5: '[MQTT-3.15.1-1]' }, async (level) => {
  const client = await connected(level);
  client.send(rawPacket(0xf1, hex('18'), properties(hex('15'), prefixed('method'))));
  await expectDisconnected(client, 0x81);
});

conversation('AUTH with a code that does not exist closes the connection', { 5: '[MQTT-3.15.2-1]' }, async (level) => {
  const client = await connected(level);
  client.send(rawPacket(0xf0, hex('01'), properties(hex('15'), prefixed('method'))));
  await expectDisconnected(client, 0x81, 0x82);
});

conversation(
  'AUTH from a client that named no method closes the connection',
  { 5: '[MQTT-4.12.0-7] [MQTT-4.12.1-1]' },
  async (level) => {
    for (const code of ['18', '19']) {
      const client = await connected(level);
      client.send(rawPacket(0xf0, hex(code), properties(hex('15'), prefixed('method'))));
      await expectDisconnected(client, 0x82, 0x8c);
    }
  },
);

conversation(
  'an authentication method that the broker lacks is refused',
  { 5: '[MQTT-4.12.0-1] [MQTT-3.1.4-2]' },
  async (level) => {
    const client = await open(level);
    const method = Buffer.concat([hex('15'), prefixed('no such method')]);
    client.send(rawConnect({ level, properties: method, payload: prefixed(uniqueName()) }));
    await expectRefused(client, [0x8c, 0x87]);
  },
);
