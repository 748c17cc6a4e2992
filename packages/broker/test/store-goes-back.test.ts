/** A store that has less than it had: an older copy of Redis, a replica that lagged, nothing. Seen to fail before: what came after it reached nobody. */
import { expect, test } from 'vitest';
import { publish } from './support/client.ts';
import { World } from './support/world.ts';

/** The session of a subscriber that has had three messages; whoever asks for the end of its log is told what the store has after it went back. */
async function after(end: number) {
  const { world, workers } = await World.of(2);
  const [worker] = workers;
  const subscriber = await worker.connect('s', { expiry: 1000, cleanStart: false });
  await subscriber.subscribe('log', 1);
  const publisher = await worker.connect('p');
  await publisher.send(...[1, 2, 3].map((id) => publish('log', String(id), 1, id)));
  subscriber.said();
  const { broker } = worker;
  const { store } = broker;
  const logEnds = store.logs.ends.bind(store.logs);
  store.logs.ends = async (filters) =>
    (await logEnds(filters)).map((known, at) => (filters[at] === 'log' ? Math.min(known, end) : known));
  return { world, worker, broker, subscriber };
}

test('a log that is shorter than was heard is noticed within five seconds, and its sessions start over', async () => {
  const { world, worker, broker, subscriber } = await after(1);
  await world.clock.pass(6000);
  expect(subscriber.said().at(-1)).toBe('disconnect 0x8b');
  expect(broker.metrics.storeSetbacks).toBe(1);
  expect(worker.view.sessions).toBe(1); // the publisher's, which needs no store
});

test('at a reconnect of the store all logs are looked at, busy ones too', async () => {
  const { world, broker, subscriber } = await after(2);
  broker.storeReturned();
  await world.clock.pass(1500);
  expect(subscriber.said().at(-1)).toBe('disconnect 0x8b');
});

test('a log that is as long as was heard is none of them', async () => {
  const { world, broker, subscriber } = await after(3);
  broker.storeReturned();
  await world.clock.pass(20_000);
  expect(subscriber.isClosed).toBe(false);
  expect(broker.metrics.storeSetbacks).toBe(0);
});
