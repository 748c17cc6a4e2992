/** Clients whose sockets take nothing (write-deadlines.ts). */
import { expect, test } from 'vitest';
import { type Client, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const limits = { writeTimeoutSeconds: 5 };

/** A client that is connected, and has stopped to read with a message on its way. */
async function stopped(): Promise<{ world: World; worker: Worker; subscriber: Client; publisher: Client }> {
  const { world, worker } = await World.alone({ limits });
  const subscriber = await worker.connect('s');
  await subscriber.subscribe('t', 1);
  const publisher = await worker.connect('p');
  subscriber.transport.reads = false;
  await publisher.send(publish('t', 'x'.repeat(100)));
  return { world, worker, subscriber, publisher };
}

test('a socket that takes nothing for limits.writeTimeoutSeconds is closed, counted and logged', async () => {
  const { world, worker, subscriber } = await stopped();
  await world.clock.pass(5000);
  expect(subscriber.isClosed).toBe(false);
  await world.clock.pass(2000);
  expect(subscriber.isClosed).toBe(true);
  expect(subscriber.said().at(-1)).toBe('disconnect 0x97');
  expect(worker.broker.metrics.listener('test').closed['write-timeout']).toBe(1);
  const [line] = worker.log.filter((text) => text.startsWith('a client that does not read'));
  expect(line).toContain('the socket has taken nothing for 5 s (limits.writeTimeoutSeconds)');
  expect(line).toContain('"pendingBytes":106');
});

test('one that takes a byte now and then stays', async () => {
  const { world, subscriber } = await stopped();
  for (let second = 0; second < 60; second += 4) {
    subscriber.transport.takenBytes++;
    subscriber.transport.pendingBytes--;
    await world.clock.pass(4000);
  }
  expect(subscriber.isClosed).toBe(false);
});

test('its time begins anew when it has taken everything', async () => {
  const { world, subscriber, publisher } = await stopped();
  await world.clock.pass(4000);
  subscriber.transport.pendingBytes = 0;
  subscriber.connection.drained();
  await world.clock.pass(60_000);
  await publisher.send(publish('t', 'y'));
  await world.clock.pass(4000);
  expect(subscriber.isClosed).toBe(false);
  await world.clock.pass(3000);
  expect(subscriber.isClosed).toBe(true);
});
