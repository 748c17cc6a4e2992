/**
 * Delayed messages that are due share the store in turns of their publishers: one client that has thousands due at once
 * delays nobody else's.
 */
import { expect, test } from 'vitest';
import { writeRecord } from '../src/message/message-record.ts';
import { Publication } from '../src/message/publication.ts';
import { publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

/** A store that answers these calls after a while. */
function answersAfter(world: World, worker: Worker, milliseconds: number): void {
  worker.gate.intercept = (method, run) => {
    if (method !== 'delayed.remove' && method !== 'logs.append') return null;
    return new Promise((resolve, reject) => {
      const stop = world.clock.every(milliseconds, () => {
        stop();
        run().then(resolve, reject);
      });
    });
  };
}

function recordOf(publisher: string, topic: string, payload: string): Buffer {
  const publication = new Publication();
  publication.bytes = Buffer.from(topic + payload);
  publication.topicEnd =
    publication.propertiesStart =
    publication.propertiesEnd =
    publication.payloadStart =
      topic.length;
  publication.payloadEnd = publication.bytes.length;
  publication.qos = 1;
  publication.publisher = publisher;
  return writeRecord(publication);
}

test('20,000 due at once of one client delay another client by less than a second', async () => {
  const { world, worker } = await World.alone();
  answersAfter(world, worker, 100);
  const watcher = await worker.connect('watcher');
  await watcher.subscribe('alice', 1);
  await world.clock.pass(5000);
  const dueAt = world.clock.now() + 2000;
  for (let i = 0; i < 20_000; i++) await world.store.delayed.add(recordOf('mallory', 'mallory', String(i)), dueAt);
  const alice = await worker.connect('alice');
  await alice.send(publish('$delayed/3/alice', 'x', 1, 1));
  await world.clock.pass(3000);
  expect(watcher.said()).toEqual([]);
  await world.clock.pass(1000);
  expect(watcher.said()).toEqual(['publish alice x q1 #1']);
  // All of the others come as well, and each once.
  await world.clock.pass(20_000);
  expect(await world.store.delayed.takeDue(world.clock.now() + 60_000, 1)).toEqual([]);
});

test('messages of one client that are due together keep their order', async () => {
  const { world, worker } = await World.alone();
  answersAfter(world, worker, 10);
  const watcher = await worker.connect('watcher', { expiry: 100 });
  await watcher.subscribe('t', 1);
  await world.clock.pass(5000);
  const dueAt = world.clock.now() + 1000;
  const payloads = Array.from({ length: 700 }, (_, i) => `m${String(i).padStart(3, '0')}`);
  for (const [i, payload] of payloads.entries()) await world.store.delayed.add(recordOf('p', 't', payload), dueAt + i);
  await world.clock.pass(4000);
  expect(watcher.said().map((line) => line.split(' ')[2])).toEqual(payloads);
});
