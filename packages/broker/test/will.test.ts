/** Wills: how the connection ends, times delay, session expiry and the client coming back. */
import { describe, expect, test } from 'vitest';
import type { Client } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const ends = {
  'DISCONNECT 0x00': (client: Client) => client.send({ type: 'disconnect', reasonCode: 0, properties: {} }),
  'DISCONNECT 0x04': (client: Client) => client.send({ type: 'disconnect', reasonCode: 4, properties: {} }),
  'the socket breaks': (client: Client) => client.drop(),
  'a protocol error': (client: Client) => client.send({ type: 'pingresp' }),
  'keep alive runs out': async (_client: Client, world: World) => world.clock.pass(17_500),
};

/** Will delay, session expiry, seconds after the end at which the client is back (-1: never), clean start then; seconds at which it is published (-1: never). */
const cases: { delay: number; expiry: number; back: number; clean: boolean; at: number }[] = [
  { delay: 0, expiry: 0, back: -1, clean: false, at: 0 },
  { delay: 0, expiry: 100, back: -1, clean: false, at: 0 },
  { delay: 10, expiry: 0, back: -1, clean: false, at: 0 },
  { delay: 10, expiry: 100, back: -1, clean: false, at: 10 },
  { delay: 100, expiry: 10, back: -1, clean: false, at: 10 },
  { delay: 10, expiry: 0xffffffff, back: -1, clean: false, at: 10 },
  { delay: 0, expiry: 100, back: 5, clean: false, at: 0 },
  { delay: 10, expiry: 100, back: 5, clean: false, at: -1 }, // [MQTT-3.1.3-9]
  { delay: 10, expiry: 100, back: 5, clean: true, at: 5 }, // the session ends
  { delay: 10, expiry: 100, back: 20, clean: false, at: 10 },
];

async function publishedAt(world: World, watcher: Client, seconds: number): Promise<boolean> {
  let found = false;
  for (let passed = 0; passed <= seconds; passed++) {
    const got = watcher.said();
    if (got.length > 0) {
      expect(got).toEqual(['publish will/c gone q1 #1']);
      found = true;
    }
    await world.clock.pass(1000);
  }
  return found;
}

describe.each(Object.entries(ends))('%s', (kind, end) => {
  test.each(cases)(
    'delay $delay, expiry $expiry, back after $back, clean $clean: at $at',
    async ({ delay, expiry, back, clean, at }) => {
      const { world, worker } = await World.alone();
      const watcher = await worker.connect('watcher');
      await watcher.subscribe('will/+', 1);
      const client = await connectWithWill(worker, delay, expiry);
      await end(client, world);
      expect(client.isClosed).toBe(true);
      const expectedAt = kind === 'DISCONNECT 0x00' ? -1 : at;
      if (expectedAt === 0) {
        expect(watcher.said()).toEqual(['publish will/c gone q1 #1']);
      } else if (back < 0) {
        const last = Math.max(expectedAt, 0);
        if (last > 2) expect(await publishedAt(world, watcher, last - 3)).toBe(false);
        expect(await publishedAt(world, watcher, 4)).toBe(expectedAt > 0);
      }
      if (back >= 0) {
        if (expectedAt > 0 && expectedAt < back) expect(await publishedAt(world, watcher, back)).toBe(true);
        else await world.clock.pass(back * 1000);
        await worker.dial('c', { cleanStart: clean, expiry });
        const due = expectedAt === back;
        expect(watcher.said()).toEqual(due ? ['publish will/c gone q1 #1'] : []);
      }
      await world.clock.pass(300_000);
      expect(watcher.said()).toEqual([]);
    },
  );
});

function connectWithWill(worker: Worker, delay: number, expiry: number): Promise<Client> {
  const will = {
    topic: 'will/c',
    payload: Buffer.from('gone'),
    qos: 1 as const,
    retain: false,
    properties: { willDelayInterval: delay },
  };
  return worker.connect('c', { cleanStart: false, expiry, keepAliveSeconds: 10, will });
}

test('a retained will with an expiry, which is counted from its publication', async () => {
  const { world, worker } = await World.alone();
  const will = {
    topic: 'w',
    payload: Buffer.from('gone'),
    qos: 0 as const,
    retain: true,
    properties: { messageExpiryInterval: 10 },
  };
  const client = await worker.connect('c', { will });
  await world.clock.pass(60_000);
  await client.drop();
  await world.clock.pass(4000);
  const reader = await worker.connect('reader');
  await reader.subscribe('w', 0);
  expect(reader.received()).toMatchObject([{ retain: true, properties: { messageExpiryInterval: 6 } }]);
  await world.clock.pass(7000);
  const late = await worker.connect('late');
  await late.subscribe('w', 0);
  expect(late.said()).toEqual([]);
});

test.each([
  ['$SYS/x', {}, 0x87],
  ['a/b/c/d/e', { topicLevelsMax: 4 }, 0x90],
])('a will that may not be published is refused at CONNECT: %s', async (topic, limits, reasonCode) => {
  const { worker } = await World.alone({ limits });
  const will = { topic, payload: Buffer.alloc(0), qos: 0 as const, retain: false, properties: {} };
  const client = await worker.dial('c', { will });
  expect(client.one('connack').reasonCode).toBe(reasonCode);
});

test('a will of QoS 2 with a durable subscriber stays in the store until it is in the log', async () => {
  const { world, worker } = await World.alone();
  const durable = await worker.connect('d', { cleanStart: false, expiry: 100 });
  await durable.subscribe('w', 2);
  await durable.drop();
  const will = { topic: 'w', payload: Buffer.from('gone'), qos: 2 as const, retain: false, properties: {} };
  const client = await worker.connect('c', { will });
  worker.gate.refused = ['logs.append'];
  await client.drop();
  const next = await world.replace(worker);
  await world.clock.pass(2000);
  expect((await next.dial('d', { cleanStart: false, expiry: 100 })).said()).toEqual([
    'connack 0x00 present',
    'publish w gone q2 #1',
  ]);
});
