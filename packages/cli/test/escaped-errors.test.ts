/** Errors that nothing was prepared for end one connection at most. */
import { Conversation, prefixed, properties, rawPacket, uint16 } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dunlin, startBroker } from './command.ts';

let broker: Dunlin;
let url: string;
let bystander: Conversation;
beforeAll(async () => {
  // Names as long as a field may be, which the defaults refuse before anything else is said about them.
  const longNames = ['limits.topicBytesMax=65535', 'limits.clientIdBytesMax=65535'];
  const started = await startBroker(['--workers', '1', ...longNames.flatMap((setting) => ['--set', setting])]);
  broker = started.broker;
  url = `mqtt://127.0.0.1:${started.port}`;
  bystander = await open('bystander');
});
afterAll(async () => {
  await bystander.drop();
  broker.child.kill('SIGTERM');
  expect((await broker.finished).code).toBe(0);
});

async function open(clientId: string): Promise<Conversation> {
  const wire = await Conversation.open(url, 5);
  await wire.connect({ clientId });
  return wire;
}

async function staysConnected(): Promise<void> {
  bystander.send({ type: 'pingreq' });
  await bystander.expectPacket({ type: 'pingresp' });
}

const long = 'x'.repeat(65_500);

describe('a text as long as a field may be, in a packet that is refused with it', () => {
  test.each([
    [
      '$delayed without its parts',
      `$delayed/${long}`,
      `"$delayed/${'x'.repeat(55)}…" is not $delayed/{seconds}/{topic}`,
    ],
    [
      '$delayed with a delay of many digits',
      `$delayed/${'9'.repeat(65_500)}/t`,
      `a delay of "${'9'.repeat(64)}…" seconds`,
    ],
  ])('PUBLISH to %s', async (_title, topic, reason) => {
    const wire = await open('publisher');
    wire.send(rawPacket(0x30, prefixed(topic), properties(), Buffer.from('x')));
    const packet = await wire.expectPacket({ type: 'disconnect' });
    expect(packet.properties.reasonString).toContain(reason);
    await wire.expectClosed();
    await staysConnected();
  });

  test('CONNECT with a will', async () => {
    const wire = await Conversation.open(url, 5);
    const will = [properties(), prefixed(`$SYS/${long}`), prefixed('gone')];
    wire.send(rawPacket(0x10, prefixed('MQTT'), Buffer.from([5, 6]), uint16(0), properties(), prefixed('c'), ...will));
    const packet = await wire.expectPacket({ type: 'connack' });
    expect(packet.properties.reasonString).toBe(`a will for "$SYS/${'x'.repeat(59)}…" is not allowed`);
    await wire.expectClosed();
    await staysConnected();
  });
});

describe('Response Information', () => {
  const asked = Buffer.from([25, 1]);
  test.each([
    ['plain', 'response/plain/'],
    ['with/level', 'response/with/level/'],
    ['a+b', undefined],
    ['a#', undefined],
    [long, undefined],
  ])('of %s', async (clientId, information) => {
    const wire = await Conversation.open(url, 5);
    wire.send(rawPacket(0x10, prefixed('MQTT'), Buffer.from([5, 2]), uint16(0), properties(asked), prefixed(clientId)));
    const packet = await wire.expectPacket({ type: 'connack', reasonCode: 0 });
    expect(packet.properties.responseInformation).toBe(information);
    await wire.drop();
  });
});
