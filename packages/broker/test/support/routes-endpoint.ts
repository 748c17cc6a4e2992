import { FrameType, readFrameType } from '../../src/cluster/frames.ts';
import { Routes } from '../../src/cluster/routes.ts';
import { SetDigest } from '../../src/logs/set-digest.ts';
import { FrameReader } from '../../src/message/wire.ts';
import { Metrics } from '../../src/ports/metrics.ts';
import type { Subscription } from '../../src/session/subscription.ts';
import { SubscriptionTree } from '../../src/subscriptions/subscription-tree.ts';
import type { FakeClock } from './fake-clock.ts';

/** Routes of one endpoint; its frames are carried by hand, so that each can be late or lost. */
export class Endpoint {
  readonly tree = new SubscriptionTree();
  readonly metrics = new Metrics();
  readonly sent: { to: string | null; bytes: Uint8Array }[] = [];
  readonly durable: [string, number][] = [];
  private readonly clock: FakeClock;
  readonly routes: Routes;

  constructor(clock: FakeClock) {
    this.clock = clock;
    const nothing = (): void => {};
    this.routes = new Routes({
      tree: this.tree,
      clock,
      logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
      metrics: this.metrics,
      confirmMilliseconds: 1000,
      send: (to, bytes) => this.sent.push({ to, bytes }),
      changing: nothing,
      durableAnnounced: (filter, last) => this.durable.push([filter, last]),
      durableDigest: () => new SetDigest(),
      durableCompared: nothing,
    });
  }

  /** Somebody here wants the filter. */
  want(filter: string): void {
    const entry = this.tree.entry(filter);
    this.tree.addSubscription(entry, { cursor: null, index: -1 } as unknown as Subscription);
    this.routes.filterChanged(entry);
  }

  /** A durable session here wants the filter, and reads it from its log. */
  wantLogged(filter: string): void {
    const entry = this.tree.entry(filter);
    this.tree.addSubscription(entry, { cursor: {}, index: -1 } as unknown as Subscription);
    this.routes.filterChanged(entry);
  }

  settle(): Promise<void> {
    return this.clock.settle();
  }

  leave(filter: string): void {
    const entry = this.tree.entry(filter);
    this.tree.removeSubscription(entry, entry.subscriptions[0]);
    this.routes.filterChanged(entry);
  }

  /** Takes in the oldest frame of the other; returns the number to confirm, -1 for none. */
  take(from: Endpoint, name: string): number {
    const frame = from.sent.shift();
    if (frame === undefined) throw new Error('nothing was sent');
    const reader = new FrameReader(frame.bytes);
    const type = readFrameType(reader);
    if (type === FrameType.routes) return this.routes.received(name, reader) ?? -1;
    if (type === FrameType.snapshot) return this.routes.snapshotReceived(name, reader) ?? -1;
    if (type === FrameType.digest) return this.routes.digestReceived(name, reader) ?? -1;
    if (type === FrameType.wanted) this.routes.wanted(name, reader);
    return -1;
  }
}

/** Carries everything between the two until nobody has anything to say. `lose` says which frames of the first one are lost. */
export async function talk(
  one: Endpoint,
  two: Endpoint,
  lose: (bytes: Uint8Array) => boolean = () => false,
): Promise<void> {
  for (let quiet = false; !quiet; ) {
    await one.settle();
    quiet = one.sent.length === 0 && two.sent.length === 0;
    while (one.sent.length > 0) {
      if (lose(one.sent[0].bytes)) {
        one.sent.shift();
        continue;
      }
      const sequence = two.take(one, 'one');
      if (sequence >= 0) one.routes.confirmReceived('two', sequence);
    }
    while (two.sent.length > 0) {
      const sequence = one.take(two, 'two');
      if (sequence >= 0) two.routes.confirmReceived('one', sequence);
    }
  }
}

export async function joined(clock: FakeClock): Promise<{ one: Endpoint; two: Endpoint }> {
  const [one, two] = [new Endpoint(clock), new Endpoint(clock)];
  one.routes.joined('two');
  two.routes.joined('one');
  await talk(one, two);
  return { one, two };
}

/** True for each of these filters that the second knows the first to want. */
export function known(endpoint: Endpoint, filters: string[]): boolean[] {
  return filters.map((filter) => endpoint.tree.find(filter)?.endpoints?.includes('one') ?? false);
}

export async function isDone(promise: Promise<void>): Promise<boolean> {
  return Promise.race([
    promise.then(() => true),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
  ]);
}
