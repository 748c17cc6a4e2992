import type { Limits } from '../../src/ports/limits.ts';
import type { Client } from './client.ts';
import { type Worker, World } from './world.ts';

/** A publisher, and a subscriber to `t` with these options, at one worker. */
export async function pair(
  limits: Partial<Limits>,
  options: object,
): Promise<{ world: World; worker: Worker; subscriber: Client; publisher: Client }> {
  const { world, worker } = await World.alone({ limits });
  const subscriber = await worker.connect('s', options);
  await subscriber.subscribe('t', 2);
  return { world, worker, subscriber, publisher: await worker.connect('p') };
}

/** Payloads that have come since the last look. */
export function payloads(client: Client): string[] {
  return client.received().flatMap((packet) => (packet.type === 'publish' ? [packet.payload.toString()] : []));
}

/** Texts of the numbers from the first to the last. */
export const numbers = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, i) => String(first + i));
