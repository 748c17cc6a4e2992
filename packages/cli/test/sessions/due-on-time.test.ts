/** Seen to fail with a store that is looked at once a second and at no other time: the median of three was 0.8 s late, the end of a session and a will alike. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Place, startPlace, stores } from './place.ts';

const will = { topic: 'gone', qos: 0, retain: false } as const;

describe.each(stores)('%s', (store) => {
  let place: Place;
  beforeAll(async () => {
    place = await startPlace(store);
  }, 60_000);
  afterAll(() => place[Symbol.asyncDispose]());

  test.each([
    ['a will after its delay', 1, 60],
    ['a will at the end of its session', 60, 1],
  ])('%s comes at its second', async (name, delay, expiry) => {
    const watcher = await place.open();
    await watcher.connect({ clientId: `watcher of ${name}` });
    await watcher.subscribe('gone', 0);
    const tookMilliseconds: number[] = [];
    // Spread over the second in which somebody looks; an odd one may wait for a busy machine.
    for (let at = 0; at < 3; at++) {
      const client = await place.open();
      await client.connect({
        clientId: `${name} ${at}`,
        sessionExpirySeconds: expiry,
        will: { ...will, payload: Buffer.from(String(at)), properties: { willDelayInterval: delay } },
      });
      const begun = performance.now();
      await client.drop();
      await watcher.expectPacket({ type: 'publish', topic: 'gone', payload: Buffer.from(String(at)) });
      tookMilliseconds.push(performance.now() - begun);
      await new Promise((resolve) => setTimeout(resolve, 170)); // the next one begins elsewhere in its second
    }
    expect(Math.min(...tookMilliseconds)).toBeGreaterThan(990);
    // One would be right by chance alone.
    expect(tookMilliseconds.toSorted((a, b) => a - b)[1]).toBeLessThan(1300);
  });
});
