/** What endpoints know of each other's filters. Frames are carried by hand, so that each can be late. */
import { describe, expect, test } from 'vitest';
import { Routes } from '../src/cluster/routes.ts';
import { FrameReader } from '../src/cluster/wire.ts';
import { Metrics } from '../src/ports/metrics.ts';
import type { Subscription } from '../src/subscription.ts';
import { SubscriptionTree } from '../src/subscription-tree.ts';
import { FakeClock } from './support/fake-clock.ts';

class Endpoint {
  readonly tree = new SubscriptionTree();
  readonly metrics = new Metrics();
  readonly sent: { to: string | null; bytes: Uint8Array }[] = [];
  readonly durable: [string, number][] = [];
  readonly routes: Routes;

  constructor(clock: FakeClock) {
    const nothing = (): void => {};
    this.routes = new Routes({
      tree: this.tree,
      clock,
      logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
      metrics: this.metrics,
      confirmMilliseconds: 1000,
      send: (to, bytes) => this.sent.push({ to, bytes }),
      durableAnnounced: (filter, last) => this.durable.push([filter, last]),
    });
  }

  /** Somebody here wants the filter. */
  want(filter: string): void {
    const entry = this.tree.entry(filter);
    this.tree.addSubscription(entry, { cursor: null, index: -1 } as unknown as Subscription);
    this.routes.filterChanged(entry);
  }

  leave(filter: string): void {
    const entry = this.tree.entry(filter);
    this.tree.removeSubscription(entry, entry.subscriptions[0]);
    this.routes.filterChanged(entry);
  }

  /** Takes in the oldest frame of the other; returns the number to confirm. */
  take(from: Endpoint, name: string): number {
    const frame = from.sent.shift();
    if (frame === undefined) throw new Error('nothing was sent');
    const reader = new FrameReader(frame.bytes);
    reader.u8();
    reader.u8();
    return this.routes.received(name, reader);
  }
}

async function isDone(promise: Promise<void>): Promise<boolean> {
  return Promise.race([
    promise.then(() => true),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
  ]);
}

describe('routes', () => {
  test('a barrier waits for every peer, and not for what changes later', async () => {
    const clock = new FakeClock();
    const own = new Endpoint(clock);
    for (const name of ['a', 'b']) own.routes.joined(name);
    own.want('t');
    const first = own.routes.confirmed();
    own.routes.confirmReceived('a', 1);
    expect(await isDone(first)).toBe(false);
    own.want('u');
    const second = own.routes.confirmed();
    own.routes.confirmReceived('b', 1);
    expect(await isDone(first)).toBe(true);
    expect(await isDone(second)).toBe(false);
    own.routes.left('b');
    own.routes.confirmReceived('a', 2);
    expect(await isDone(second)).toBe(true);
  });

  test('a newcomer gets the whole set, and a barrier waits for it too', async () => {
    const clock = new FakeClock();
    const own = new Endpoint(clock);
    const other = new Endpoint(clock);
    own.routes.joined('earlier');
    own.sent.length = 0;
    own.want('t');
    own.want('u');
    own.leave('u');
    await clock.settle();
    own.sent.length = 0;
    own.routes.joined('other');
    other.routes.joined('own');
    expect(await isDone(other.routes.snapshotsReceived())).toBe(false);
    const barrier = own.routes.confirmed();
    own.routes.confirmReceived('earlier', 1);
    expect(await isDone(barrier)).toBe(false);
    own.routes.confirmReceived('other', other.take(own, 'own'));
    expect(await isDone(barrier)).toBe(true);
    expect(await isDone(other.routes.snapshotsReceived())).toBe(true);
    expect(other.tree.find('t')?.endpoints).toEqual(['own']);
    expect(other.tree.find('u')).toBeNull();
  });

  test('several on one filter are one route, which goes with the last', async () => {
    const clock = new FakeClock();
    const own = new Endpoint(clock);
    const other = new Endpoint(clock);
    own.routes.joined('other');
    other.routes.joined('own');
    other.take(own, 'own');
    own.want('t');
    own.want('t');
    own.leave('t');
    await clock.settle();
    expect(own.sent).toHaveLength(1);
    other.take(own, 'own');
    expect(other.tree.find('t')?.endpoints).toEqual(['own']);
    own.leave('t');
    await clock.settle();
    other.take(own, 'own');
    expect(other.tree.isEmpty).toBe(true);
  });

  test('an endpoint that leaves takes its routes and groups along, and nobody waits for it', async () => {
    const clock = new FakeClock();
    const own = new Endpoint(clock);
    const other = new Endpoint(clock);
    own.routes.joined('other');
    other.routes.joined('own');
    other.take(own, 'own');
    own.want('t');
    own.routes.announceDurable('d', 7);
    await clock.settle();
    other.take(own, 'own');
    expect(other.durable).toEqual([['d', 7]]);
    const barrier = own.routes.confirmed();
    own.routes.left('other');
    expect(await isDone(barrier)).toBe(true);
    other.routes.left('own');
    expect(other.tree.isEmpty).toBe(true);
    expect(other.routes.hasPeers).toBe(false);
  });

  test('a peer that does not confirm is waited for a bounded time', async () => {
    const clock = new FakeClock();
    const own = new Endpoint(clock);
    own.routes.joined('silent');
    own.want('t');
    const barrier = own.routes.confirmed();
    await clock.pass(900);
    expect(await isDone(barrier)).toBe(false);
    await clock.pass(200);
    expect(await isDone(barrier)).toBe(true);
    expect(own.metrics.barrierTimeouts).toBe(1);
  });
});
