import { listen, settle } from './audience.ts';
import type { ClientRole, Group } from './group.ts';
import { Pace } from './pace.ts';
import { Publisher } from './publisher.ts';
import { qosOf } from './settings.ts';
import { Tally } from './tally.ts';

/** Plan of who publishes what to whom. Publishers have one stream each, of their number. */
export interface TrafficPlan {
  readonly publishers: number;
  readonly subscribers: number;
  /** The topic of a publisher, below the group's prefix. */
  topic(publisher: number): string;
  /** The filter of a subscriber, from the group's prefix on. */
  filter(subscriber: number, prefix: string): string;
  /** The audiences, and which of them a subscriber belongs to. */
  readonly audiences: number;
  audience(subscriber: number): number;
  /** True when an audience gets what a publisher sends. */
  hears(audience: number, publisher: number): boolean;
  readonly isOrdered: boolean;
}

/** Steady traffic: all connect and subscribe, then publish at RATE for DURATION_SECONDS, then wait for what is under way. */
export async function traffic(group: Group, plan: TrafficPlan): Promise<void> {
  const { settings, prefix } = group;
  const tally = new Tally(plan.audiences, plan.hears);
  const listening = { isTimed: true, isOrdered: plan.isOrdered };
  const subscriberRoles = numbered(plan.subscribers, (index): ClientRole => {
    const message = listen(group, tally, plan.audience(index), listening);
    return { name: `s${index}`, broker: index + 1, message };
  });
  const subscribers = await group.connectAll(subscriberRoles);
  const qos = qosOf(settings);
  await Promise.all(subscribers.map((client, index) => client.subscribe(plan.filter(index, prefix), qos)));
  const clients = await group.connectAll(numbered(plan.publishers, (index) => ({ name: `p${index}`, broker: index })));
  const start = group.clock.now();
  const rows = clients.map((client, index) => ({
    publisher: new Publisher(group, client, tally, [{ index, topic: `${prefix}/${plan.topic(index)}` }]),
    pace: new Pace(settings.rate, index / clients.length, start),
  }));
  await group.repeat(settings.durationSeconds, (now) => {
    for (const { publisher, pace } of rows) publisher.sendDue(pace, now);
  });
  await settle(group, tally);
}

/** Results of `make` for 0, 1, 2 … up to `count`. */
export function numbered<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
