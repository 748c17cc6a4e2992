import { redisCall } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import { greet, publish, receiveTexts, subscribe } from '../workers/conversation.ts';
import { Cluster } from './cluster.ts';

/** Server shutting down: the session starts over. Session taken over: a write of the session was refused first. */
const startsOver = [0x8b, 0x8e];

/**
 * Redis comes back from an older file, or with nothing. Seen to fail before: of what was acknowledged after its return nothing reached the connected session until the
 * log had grown past what the worker remembered, and from an empty Redis nothing ever.
 */
test.each(['an older file', 'nothing'])(
  'Redis comes back with %s: nobody stays deaf',
  { timeout: 90_000 },
  async (from) => {
    await using cluster = await Cluster.start({ nodes: 2, workers: 1 });
    const [a, b] = cluster.nodes;
    const session = { clientId: 'subscriber', cleanStart: false, sessionExpirySeconds: 3600 };
    const subscriber = await b.connect(session);
    await subscribe(subscriber, 'orders', 1);
    const publisher = await a.connect({ clientId: 'publisher' });
    const quiet = await b.connect({ clientId: 'quiet', cleanStart: false, sessionExpirySeconds: 3600 });
    await subscribe(quiet, 'unheard', 1);
    for (let number = 0; number < 50; number++)
      await publish(publisher, { topic: 'orders', payload: `${number}`, qos: 1 });
    await receiveTexts(subscriber, 50);
    if (from === 'an older file') await redisCall(cluster.redis.url, ['SAVE']);
    for (let number = 50; number < 150; number++)
      await publish(publisher, { topic: 'orders', payload: `${number}`, qos: 1 });
    await receiveTexts(subscriber, 100);

    await cluster.redis.kill();
    await b.says('not ready: store unavailable');
    await cluster.redis.restart();
    const { reasonCode } = await subscriber.expectPacket({ type: 'disconnect' }, 20_000);
    expect(startsOver).toContain(reasonCode);
    // One that has nothing to write: only looking at what the store has can tell.
    if (from === 'nothing') await quiet.expectPacket({ type: 'disconnect', reasonCode: startsOver[0] }, 20_000);
    else await quiet.drop();
    await b.says('ready again');
    const back = await b.open();
    const { sessionPresent } = await greet(back, session);
    expect(sessionPresent).toBe(from === 'an older file');
    if (!sessionPresent) await subscribe(back, 'orders', 1);
    const texts = Array.from({ length: 30 }, (_, number) => `after ${number}`);
    for (const payload of texts) await publish(publisher, { topic: 'orders', payload, qos: 1 });
    const received: string[] = [];
    while (received.at(-1) !== 'after 29') received.push(...(await receiveTexts(back, 1)));
    expect(received.filter((text) => text.startsWith('after'))).toEqual(texts);
    const metrics = await b.metrics();
    expect(metrics.get('dunlin_store_setbacks_total')).toBeGreaterThan(0);
  },
);
