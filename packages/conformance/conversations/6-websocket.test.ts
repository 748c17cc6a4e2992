import { encodePacket } from '@dunlin/protocol';
import { hex, webSocketOpcode } from '@dunlin/testkit';
import { expect } from 'vitest';
import { openWebSocket } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { connectPacket } from '../src/packets-to-send.ts';

const pingreq = hex('c0 00');
const noAddress = 'the broker under test has no address for WebSocket';

conversation(
  'packets come and go in binary frames, and a text frame closes the connection',
  { 4: '[MQTT-6.0.0-1]', 5: '[MQTT-6.0.0-1]' },
  async (level, skip) => {
    const client = (await openWebSocket()) ?? skip(noAddress);
    client.sendFrame(webSocketOpcode.binary, encodePacket(connectPacket(level), level));
    expect((await client.nextPacket()).firstByte).toBe(0x20);
    expect(client.opcodes[0]).toBe(webSocketOpcode.binary);
    client.sendFrame(webSocketOpcode.text, Buffer.from('not MQTT'));
    await client.expectClosed();
  },
);

conversation(
  'packets need not align with frames',
  { 4: '[MQTT-6.0.0-2]', 5: '[MQTT-6.0.0-2]' },
  async (level, skip) => {
    const client = (await openWebSocket()) ?? skip(noAddress);
    const connect = encodePacket(connectPacket(level), level);
    // A packet in three frames, one of them a single byte; then one and a half in one frame, and the rest.
    client.sendFrame(webSocketOpcode.binary, connect.subarray(0, 1));
    client.sendFrame(webSocketOpcode.binary, connect.subarray(1, 9));
    client.sendFrame(webSocketOpcode.binary, connect.subarray(9));
    expect((await client.nextPacket()).firstByte).toBe(0x20);
    client.sendFrame(webSocketOpcode.binary, Buffer.concat([pingreq, pingreq.subarray(0, 1)]));
    expect((await client.nextPacket()).bytes).toEqual(hex('d0 00'));
    client.sendFrame(webSocketOpcode.binary, pingreq.subarray(1));
    expect((await client.nextPacket()).bytes).toEqual(hex('d0 00'));
    client.sendFrame(webSocketOpcode.binary, pingreq.subarray(0, 1), false);
    client.sendFrame(webSocketOpcode.continuation, pingreq.subarray(1));
    expect((await client.nextPacket()).bytes).toEqual(hex('d0 00'));
  },
);

conversation('the subprotocol is mqtt', { 4: '[MQTT-6.0.0-4]', 5: '[MQTT-6.0.0-4]' }, async (_level, skip) => {
  const client = (await openWebSocket()) ?? skip(noAddress);
  expect(client.subprotocol).toBe('mqtt');
});
