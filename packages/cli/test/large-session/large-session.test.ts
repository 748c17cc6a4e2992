/** A session of many filters begins, moves and ends without anybody else noticing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { WireClient } from '@dunlin/testkit';
import { afterAll, describe, expect, test } from 'vitest';
import { Bystander } from '../bystander/bystander.ts';
import { Cluster } from '../cluster/cluster.ts';
import { DoorNode } from '../doors/door-node.ts';
import { greet, publish, receive } from '../workers/conversation.ts';

const filterCount = 20_000;
const filtersPerPacket = 500;
/** What is promised is a second and 20 ms; a machine that is busy with other tests has its own pauses. */
const openMillisecondsMax = 4000;
const waitMillisecondsMax = 1500;
const figures = process.env.LARGE_SESSION_FIGURES !== undefined;

const filter = (index: number): string => `fleet/${index % 100}/device-${index}/state`;
const durable = { clientId: 'large', cleanStart: false, sessionExpirySeconds: 3600 };

const directory = mkdtempSync(join(tmpdir(), 'dunlin-large-'));
afterAll(() => rmSync(directory, { recursive: true }));

const stores = [
  ['memory', 1, ['--store', 'memory']],
  ['lmdb', 1, ['--store', 'lmdb', '--data', join(directory, 'one')]],
  ['lmdb, two workers', 2, ['--store', 'lmdb', '--data', join(directory, 'two')]],
] as const;

describe.each(stores)('%s', (_name, workers, words) => {
  test('taken over, taken up again and ended: nobody else waits', async () => {
    const node = await DoorNode.start(['tcp://127.0.0.1:0'], [...words, '--workers', String(workers)]);
    try {
      await conversation([node.url(0)], workers * 3);
    } finally {
      await node.stop();
    }
  }, 60_000);
});

test('three nodes on Redis and NATS: taken over from node to node, nobody else waits', async () => {
  await using cluster = await Cluster.start({ nodes: 3 });
  await conversation(
    cluster.nodes.map(({ url }) => url),
    3,
  );
}, 90_000);

/** The large client goes from one URL to the next. */
async function conversation(urls: readonly string[], bystanderCount: number): Promise<void> {
  const first = await WireClient.open(urls[0]);
  await greet(first, durable);
  await subscribeAll(first);
  const bystanders: Bystander[] = [];
  for (let i = 0; i < bystanderCount; i++) bystanders.push(await Bystander.at(urls[i % urls.length], `bystander-${i}`));

  const second = await WireClient.open(urls[1 % urls.length]);
  const takeover = await timeOf(() => greetPresent(second));
  await first.untilClosed();
  const third = await WireClient.open(urls[2 % urls.length]);
  const takeoverAgain = await timeOf(() => greetPresent(third));
  await second.untilClosed();
  await expectInForce(third, urls[0]);

  await third.drop();
  const fourth = await WireClient.open(urls[0]);
  const resume = await timeOf(() => greetPresent(fourth));
  await expectInForce(fourth, urls[1 % urls.length]);

  // Ended by a clean start, and gone with it.
  const last = await WireClient.open(urls[0]);
  const end = await timeOf(() => greet(last, { clientId: 'large' }));
  await publish(last, { topic: filter(1), payload: 'to nobody', qos: 1 });
  await last.expectNothing();
  const waits = await Promise.all(bystanders.map((bystander) => bystander.stop()));
  await last.drop();
  const longest = Math.max(...waits.map((wait) => wait.longest));
  const p99 = Math.max(...waits.map((wait) => wait.p99));
  if (figures) console.log(JSON.stringify({ takeover, takeoverAgain, resume, end, longest, p99 }));
  expect(Math.max(takeover, takeoverAgain, resume, end)).toBeLessThan(openMillisecondsMax);
  expect(longest).toBeLessThan(waitMillisecondsMax);
}

async function subscribeAll(wire: WireClient): Promise<void> {
  for (let from = 0; from < filterCount; from += filtersPerPacket) {
    const subscriptions = Array.from({ length: filtersPerPacket }, (_, i) => ({
      filter: filter(from + i),
      qos: 1 as const,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 2 as const,
    }));
    wire.send({ type: 'subscribe', packetId: 1, subscriptionIdentifier: 0, subscriptions, properties: {} });
    await wire.expect('suback', 15_000);
  }
}

async function greetPresent(wire: WireClient): Promise<void> {
  const connack = await greet(wire, durable);
  expect(connack.sessionPresent).toBe(true);
}

async function timeOf(what: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await what();
  return Math.round(performance.now() - began);
}

/** With CONNACK all filters are in force, the first and the last of them, wherever a message comes from. */
async function expectInForce(wire: WireClient, url: string): Promise<void> {
  const publisher = await WireClient.open(url);
  await greet(publisher, { clientId: 'publisher' });
  const topics = [0, filterCount / 2, filterCount - 1].map(filter);
  for (const topic of topics) await publish(publisher, { topic, payload: 'x', qos: 1 });
  const messages = await receive(wire, (received) => received.length === topics.length);
  expect(messages.map(({ topic }) => topic).sort()).toEqual(topics.sort());
  await publisher.drop();
}
