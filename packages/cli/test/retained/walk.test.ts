/**
 * Clients on the same worker are answered while a subscription's retained messages are searched, whatever its filter
 * and however many there are.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Conversation, publishPacket, subscribePacket } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Bystander } from '../bystander/bystander.ts';
import { ListenerNode } from '../listeners/listener-node.ts';

const messages = 60_000;
/** Retained behind all others. */
const last = 'z';
const publishesAtOnce = 500;
const waitMillisecondsMax = 30;
const roundsMax = 12;
const answerMilliseconds = 15_000;
const figures = process.env.RETAINED_WALK_FIGURES !== undefined;

const directory = mkdtempSync(join(tmpdir(), 'dunlin-walk-'));
afterAll(() => rmSync(directory, { recursive: true }));

const stores = [
  ['memory', ['--store', 'memory']],
  ['lmdb', ['--store', 'lmdb', '--data', directory]],
] as const;

describe.each(stores)('%s', (_name, words) => {
  let node: ListenerNode;
  beforeAll(async () => {
    node = await ListenerNode.start(['tcp://127.0.0.1:0'], words);
    await retainAll(node.url(0));
  }, 60_000);
  afterAll(() => node.stop());

  test.each([
    ['#', messages + 1],
    ['+/+/state', messages],
    ['+/+/zzz', 0],
  ] as const)(
    '%s',
    async (filter, count) => {
      const p99s: number[] = [];
      // A machine that is busy with other tests has pauses of its own: the best of a few rounds counts.
      while (p99s.length < roundsMax && !(Math.min(...p99s) < waitMillisecondsMax))
        p99s.push(await walk(node.url(0), filter, count));
      expect(Math.min(...p99s)).toBeLessThan(waitMillisecondsMax);
    },
    60_000,
  );
});

/** Returns how long others wait for their answers, at worst but for one of a hundred. */
async function walk(url: string, filter: string, count: number): Promise<number> {
  const bystander = await Bystander.at(url, 'bystander');
  const subscriber = await Conversation.open(url);
  await subscriber.connect({ clientId: 'subscriber' });
  const began = performance.now();
  // One filter after the other: what the second finds comes when the first has been through.
  subscriber.send(subscribePacket([{ filter }, { filter: last }]));
  await subscriber.expect('suback', answerMilliseconds);
  const suback = performance.now() - began;
  for (let i = 0; i < count; i++) await subscriber.expect('publish');
  await subscriber.expectPacket({ type: 'publish', topic: last }, answerMilliseconds);
  const all = performance.now() - began;
  const waits = await bystander.stop();
  await subscriber.drop();
  if (figures) console.log(JSON.stringify({ filter, suback, all, ...waits }));
  return waits.p99;
}

async function retainAll(url: string): Promise<void> {
  const publisher = await Conversation.open(url);
  await publisher.connect({ clientId: 'publisher' });
  for (let i = 0; i < messages; i++) {
    const topic = `fleet-${i % 50}/device-${i}/state`;
    const packetId = (i % publishesAtOnce) + 1;
    publisher.send(publishPacket({ topic, payload: `state of ${i}`, qos: 1, packetId, retain: true }));
    if (packetId === publishesAtOnce)
      for (let answers = 0; answers < publishesAtOnce; answers++) await publisher.expect('puback');
  }
  await publisher.publish({ topic: last, payload: 'the last one', qos: 1, retain: true });
  await publisher.drop();
}
