import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';

/** Nodes are started from their sources, on a machine that other tests want too; alone each takes a fraction of it. */
const timeout = 60_000;

/** Longer than a lease, and than anybody needs to notice. */
const pauseMilliseconds = 8000;

// Side by side: most of it is waiting.
describe.concurrent.each([1, 2])('a node of %s workers stands still', (workers) => {
  test('its clients are served elsewhere without loss; awake again, its late writes are refused and its workers replaced', {
    timeout,
  }, async () => {
    await using cluster = await Cluster.start({ nodes: 3, workers });
    const [a, b, c] = cluster.nodes;
    const session = { clientId: 'sleeper', cleanStart: false, sessionExpirySeconds: 3600 };
    const old = await a.connect(session);
    await old.subscribe('orders/#', 2);
    const publisher = await c.connect({ clientId: 'publisher' });
    const texts = Array.from({ length: 10 }, (_, number) => `${number}`);
    for (const payload of texts) await publisher.publish({ topic: 'orders/x', payload, qos: 2 });
    // In flight at the node that is about to stand still.
    const inFlight = [];
    while (inFlight.length < texts.length) inFlight.push(await old.expect('publish'));
    await a.pause();
    const begun = performance.now();
    // What the old connection still says waits in the sockets of the sleeping node.
    for (const { packetId } of inFlight) old.send({ type: 'pubrec', packetId, reasonCode: 0, properties: null });
    old.sendPublish({ topic: 'orders/late', payload: 'late', qos: 2 }, 1);
    const next = await b.open();
    expect(await next.connect(session)).toMatchObject({ sessionPresent: true });
    expect(await next.receiveTexts(texts.length)).toEqual(texts);
    await publisher.publish({ topic: 'orders/x', payload: 'meanwhile', qos: 2 });
    expect(await next.receiveTexts(1)).toEqual(['meanwhile']);
    await delay(Math.max(0, pauseMilliseconds - (performance.now() - begun)));
    a.resume();
    for (let worker = 0; worker < workers; worker++) await a.says(`"worker":${worker},"endpoint":"a/${worker}#`);
    await a.says('"event":"worker.replaced"');
    // Told to go, or simply closed: but not served.
    expect((await old.untilClosed(10_000)).filter(({ type }) => type === 'pubrec' || type === 'pubcomp')).toEqual([]);
    await publisher.publish({ topic: 'orders/x', payload: 'after', qos: 2 });
    expect(await next.receiveTexts(1)).toEqual(['after']);
    await next.expectNothing();
    // It serves again, under a new name.
    const back = await a.open();
    expect(await back.connect(session)).toMatchObject({ sessionPresent: true });
    await publisher.publish({ topic: 'orders/x', payload: 'home', qos: 2 });
    expect(await back.receiveTexts(1)).toEqual(['home']);
  });
});
