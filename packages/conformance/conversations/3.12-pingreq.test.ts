import { hex } from '@dunlin/testkit';
import { connected, expectDisconnected } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';

conversation('PINGREQ is answered with PINGRESP', { 4: '[MQTT-3.12.4-1]', 5: '[MQTT-3.12.4-1]' }, async (level) => {
  const client = await connected(level);
  for (let count = 0; count < 3; count += 1) {
    client.send(hex('c0 00'));
    await client.expectBytes(hex('d0 00'));
  }
  client.send(hex('c0 00 c0 00'));
  await client.expectBytes(hex('d0 00 d0 00'));
});

conversation(
  'PINGREQ with a body closes the connection',
  { 4: '[MQTT-4.8.0-1]', 5: '[MQTT-4.13.1-1]' },
  async (level) => {
    const client = await connected(level);
    client.send(hex('c0 01 00'));
    await expectDisconnected(client, 0x81, 0x82);
  },
);
