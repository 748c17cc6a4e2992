/** Turns of others beside a client, or another worker, that brings more messages than one turn has time for (work/turn-share.ts, cluster/message-frames.ts). */
import { expect, test } from 'vitest';
import { MessageFrames } from '../src/cluster/message-frames.ts';
import { Metrics } from '../src/ports/metrics.ts';
import { deliveriesPerTurn } from '../src/work/turn-share.ts';
import { publish } from './support/client.ts';
import { FakeClock } from './support/fake-clock.ts';
import { World } from './support/world.ts';

const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const flood = (count: number) => range(count).map(() => publish('t', 'x'));

/** Seen to fail without `holdForTurn` in Connection.receive. */
test('a client that has had its share is not read before the next turn', async () => {
  const { world, worker } = await World.alone();
  const publisher = await worker.connect('p');
  publisher.put(...flood(deliveriesPerTurn));
  expect(publisher.transport.paused).toBe(false);
  publisher.put(...flood(1));
  expect(publisher.transport.paused).toBe(true);
  await world.clock.turnOnce();
  expect(publisher.transport.paused).toBe(false);
});

test('messages to many subscribers use the share up sooner; what others send in between begins it anew', async () => {
  const { worker } = await World.alone();
  for (const index of range(50)) await (await worker.connect(`s${index}`)).subscribe('t', 0);
  const publisher = await worker.connect('p');
  const other = await worker.connect('o');
  publisher.put(...flood(300));
  other.put(publish('elsewhere', 'x'));
  publisher.put(...flood(300));
  expect(publisher.transport.paused).toBe(false);
  publisher.put(...flood(100));
  expect(publisher.transport.paused).toBe(true);
  expect(other.transport.paused).toBe(false);
});

function framesThatDeliver(perFrame: number) {
  const clock = new FakeClock();
  const metrics = new Metrics();
  const handled: string[] = [];
  const frames = new MessageFrames(clock, metrics, (from, bytes) => {
    metrics.publishesSent += perFrame;
    handled.push(`${from}${bytes[0]}`);
  });
  return { clock, handled, frames };
}

test('frames of other workers are handled so many deliveries a turn, in their order', async () => {
  const { clock, handled, frames } = framesThatDeliver(deliveriesPerTurn / 2 + 1);
  for (const index of range(6)) frames.received('a', Uint8Array.of(index));
  expect(handled).toEqual(['a0', 'a1']);
  await clock.turnOnce();
  expect(handled.slice(2)).toEqual(['a2', 'a3']);
  await clock.settle();
  expect(handled.slice(4)).toEqual(['a4', 'a5']);
  frames.received('a', Uint8Array.of(6));
  expect(handled.at(-1)).toBe('a6');
});

test('a frame that waits is a copy, and one of an endpoint that has left is handled before that', async () => {
  const { clock, handled, frames } = framesThatDeliver(deliveriesPerTurn + 1);
  const lent = Uint8Array.of(1);
  frames.received('a', Uint8Array.of(0));
  frames.received('a', lent);
  frames.received('b', Uint8Array.of(2));
  lent.fill(9);
  frames.left('b');
  expect(handled).toEqual(['a0', 'b2']);
  await clock.settle();
  expect(handled).toEqual(['a0', 'b2', 'a1']);
});
