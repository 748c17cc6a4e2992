import type { ClientEvents } from './client.ts';
import type { Group } from './group.ts';
import { readStamp } from './stamp.ts';
import type { Arrival, Tally } from './tally.ts';

/** Metric of each kind of arrival, beside received. */
const arrivalMetric = {
  inOrder: null,
  outOfOrder: 'mqtt_messages_disordered',
  doubled: 'mqtt_messages_doubled',
  stray: 'mqtt_messages_stray',
} as const satisfies Record<Arrival, string | null>;

export interface ListenOptions {
  /** The messages are live: how long they took says something. */
  readonly isTimed: boolean;
  /** Messages come in the order in which they were sent. */
  readonly isOrdered: boolean;
  /** The audience has got this many messages now, by the time of the last; called for each that is the first of its kind. */
  heard?(count: number, arrivedAt: number): void;
}

/** Handles a message that comes to a client of an audience: it asks the tally what it is, and counts it. */
export function listen(group: Group, tally: Tally, audience: number, options: ListenOptions): ClientEvents['message'] {
  return (bytes, start, end, arrivedAt) => {
    group.add('mqtt_messages_received', 1);
    const stamp = readStamp(bytes, start, end);
    const arrival = stamp === null ? 'stray' : tally.received(audience, stamp.stream, stamp.sequence);
    const metric = arrivalMetric[arrival];
    if (metric !== null && (arrival !== 'outOfOrder' || options.isOrdered)) group.add(metric, 1);
    if (stamp === null || arrival === 'doubled' || arrival === 'stray') return;
    // Two clocks are brought together to some microseconds only.
    if (options.isTimed) group.add('mqtt_latency', Math.max(0, arrivedAt - stamp.sentAt));
    options.heard?.(tally.receivedOf(audience), arrivedAt);
  };
}

/** A message that comes again does so soon after the first. */
const lingerMilliseconds = 200;

/** Waits until everything has come, and a little longer for what comes twice; counts what has not come as lost. True when nothing is. */
export async function settle(group: Group, tally: Tally): Promise<boolean> {
  await group.until(() => tally.outstanding === 0);
  await group.sleep(lingerMilliseconds);
  group.add('mqtt_messages_lost', tally.outstanding);
  return tally.outstanding === 0;
}
