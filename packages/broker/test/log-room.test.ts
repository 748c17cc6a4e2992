/** Bound of all logs together: the largest give way first, and who publishes faster than that hears so. */
import { expect, test } from 'vitest';
import { ack, publish } from './support/client.ts';
import { World } from './support/world.ts';

const away = { expiry: 1000, cleanStart: false };
const kibibyte = 'x'.repeat(1024);

test('a PUBLISH for logs that are full is answered 0x97, with the limit; live subscribers get it, and logs have room again when they were trimmed', async () => {
  const { world, worker } = await World.alone({ limits: { logsBytesMax: 64 * 1024 } });
  const hoarder = await worker.connect('hoarder', away);
  // A message to this topic goes to four logs.
  for (const filter of ['#', 'a/#', 'a/b/#', 'a/+/c']) await hoarder.subscribe(filter, 1);
  const device = await worker.connect('device', away);
  await device.subscribe('device', 1);
  await device.drop();
  await hoarder.drop();
  const live = await worker.connect('live');
  await live.subscribe('a/b/c', 1);
  const publisher = await worker.connect('p');
  await publisher.send(publish('device', 'kept', 1, 1));
  expect(publisher.said()).toEqual(['puback #1']);
  const answers: number[] = [];
  for (let id = 2; id < 30; id++) {
    await publisher.send(publish('a/b/c', kibibyte, id % 2 === 0 ? 1 : 2, id));
    const [answer] = publisher.received();
    answers.push('reasonCode' in answer ? (answer.reasonCode as number) : -1);
    if (answer.type === 'pubrec' && answer.reasonCode === 0) await publisher.send(ack('pubrel', id));
    publisher.received();
    if (answers.at(-1) === 0x97)
      expect(answer).toMatchObject({ properties: { reasonString: 'limits.logsBytesMax is reached: 65536' } });
  }
  // All of them came to who listens without a log.
  expect(live.received()).toHaveLength(answers.length);
  const stored = answers.indexOf(0x97);
  expect(stored).toBeGreaterThan(10);
  expect(answers.slice(stored).every((code) => code === 0x97)).toBe(true);
  const refused = answers.length - stored;
  expect(worker.broker.metrics.dropped['logs-full']).toBe(refused);
  expect(worker.log.filter((line) => line.includes('logs together are full'))).toEqual([
    expect.stringContaining('limits.logsBytesMax'),
  ]);
  // Trimmed within a second or two: the logs of the hoarder alone, whose oldest messages go.
  await world.clock.pass(6000);
  expect(worker.broker.metrics.dropped['log-limit']).toBeGreaterThan(0);
  await publisher.send(publish('a/b/c', kibibyte, 1, 100));
  expect(publisher.said()).toEqual(['puback #100']);
  const back = await worker.dial('device', away);
  expect(back.said()).toEqual(['connack 0x00 present', 'publish device kept q1 #1']);
});

test('an MQTT 3 client is disconnected without an acknowledgement; a will is kept', async () => {
  const { world, worker } = await World.alone({ limits: { logsBytesMax: 64 * 1024 } });
  const hoarder = await worker.connect('hoarder', away);
  await hoarder.subscribe('#', 1);
  await hoarder.drop();
  const will = { topic: 'gone', payload: Buffer.from('old'), qos: 1, retain: false, properties: {} } as const;
  const old = await worker.connect('old', { version: 4, will });
  const filler = await worker.connect('filler');
  for (let id = 1; id < 100; id++) await filler.send(publish('t', kibibyte, 1, id));
  filler.received();
  await old.send(publish('t', kibibyte, 1, 1));
  expect([old.said(), old.isClosed]).toEqual([[], true]);
  await world.clock.pass(6000);
  const back = await worker.dial('hoarder', away);
  const payloads: string[] = [];
  for (;;) {
    const got = back.received();
    if (got.length === 0) break;
    for (const packet of got) {
      if (packet.type !== 'publish') continue;
      payloads.push(packet.payload.toString());
      await back.send(ack('puback', packet.packetId));
    }
  }
  expect(payloads).toContain('old');
});
