import type { Packet } from '@dunlin/protocol';
import { type Conversation, type Introduction, redisCall } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import type { ClusterNode } from './cluster-node.ts';

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
    await subscriber.subscribe('orders', 1);
    const publisher = await a.connect({ clientId: 'publisher' });
    const quiet = await b.connect({ clientId: 'quiet', cleanStart: false, sessionExpirySeconds: 3600 });
    await quiet.subscribe('unheard', 1);
    for (let number = 0; number < 50; number++)
      await publisher.publish({ topic: 'orders', payload: `${number}`, qos: 1 });
    await subscriber.receiveTexts(50);
    if (from === 'an older file') await redisCall(cluster.redis.url, ['SAVE']);
    for (let number = 50; number < 150; number++)
      await publisher.publish({ topic: 'orders', payload: `${number}`, qos: 1 });
    await subscriber.receiveTexts(100);

    await cluster.redis.kill();
    await b.says('"event":"node.became-unready","reasons":"store unavailable');
    await cluster.redis.restart();
    const { reasonCode } = await subscriber.expectPacket({ type: 'disconnect' }, 20_000);
    expect(startsOver).toContain(reasonCode);
    // One that has nothing to write: only looking at what the store has can tell.
    if (from === 'nothing') await quiet.expectPacket({ type: 'disconnect', reasonCode: startsOver[0] }, 20_000);
    else await quiet.drop();
    await b.says('node.became-ready');
    const back = await b.open();
    const { sessionPresent } = await back.connect(session);
    expect(sessionPresent).toBe(from === 'an older file');
    if (!sessionPresent) await back.subscribe('orders', 1);
    const texts = Array.from({ length: 30 }, (_, number) => `after ${number}`);
    for (const payload of texts) await publisher.publish({ topic: 'orders', payload, qos: 1 });
    const received: string[] = [];
    while (received.at(-1) !== 'after 29') received.push(...(await back.receiveTexts(1)));
    expect(received.filter((text) => text.startsWith('after'))).toEqual(texts);
    const metrics = await b.metrics();
    expect(metrics.get('dunlin_store_setbacks_total')).toBeGreaterThan(0);
  },
);

/** Takes messages, and comes back whenever the connection ends, until it has all of these. Gives all that came. */
async function takeAll(
  first: Conversation,
  node: ClusterNode,
  session: Introduction,
  wanted: ReadonlySet<string>,
): Promise<string[]> {
  const left = new Set(wanted);
  const came: string[] = [];
  let wire = first;
  while (left.size > 0) {
    const packet = await wire.next(20_000);
    if (packet.type === 'disconnect') {
      wire = await node.open();
      expect((await wire.connect(session)).sessionPresent).toBe(true);
    }
    const { packetId } = packet as { packetId: number };
    const answer = (type: 'puback' | 'pubrec' | 'pubcomp'): Packet => ({
      ...{ type, packetId, reasonCode: 0, properties: null },
    });
    if (packet.type === 'pubrel') wire.send(answer('pubcomp'));
    if (packet.type !== 'publish') continue;
    wire.send(answer(packet.qos === 1 ? 'puback' : 'pubrec'));
    came.push(packet.payload.toString());
    left.delete(packet.payload.toString());
  }
  return came;
}

/**
 * Redis loses what a few publishes had put into a log, and more than that is written to it before anybody can look. Seen to fail before: as many as were lost came to
 * nobody, since they were stored under the numbers of those; a shared group got none until its log had grown past what it remembered.
 */
test.each([
  ['orders', 1],
  ['orders', 2],
  ['$share/group/orders', 1],
  ['$share/group/orders', 2],
] as const)('a log that outgrows what it has lost: %s at QoS %i', { timeout: 90_000 }, async (filter, qos) => {
  await using cluster = await Cluster.start({ nodes: 2, workers: 1 });
  const [a, b] = cluster.nodes;
  const session = { clientId: 'subscriber', cleanStart: false, sessionExpirySeconds: 3600 };
  const subscriber = await b.connect(session);
  await subscriber.subscribe(filter, qos);
  const publisher = await a.connect({ clientId: 'publisher' });
  const send = async (count: number, name: string): Promise<void> => {
    for (let number = 0; number < count; number++)
      await publisher.publish({ topic: 'orders', payload: `${name} ${number}`, qos: 1 });
  };
  await send(10, 'kept');
  await takeAll(subscriber, b, session, new Set(['kept 9']));
  await redisCall(cluster.redis.url, ['SAVE']);
  await send(50, 'lost');
  await takeAll(subscriber, b, session, new Set(['lost 49']));
  await cluster.redis.kill();
  await b.says('"event":"node.became-unready","reasons":"store unavailable');
  // It is not told that they are stored, and sends them again: they are the first to be written.
  const names = Array.from({ length: 200 }, (_, number) => `after ${number}`);
  const sendAll = (wire: Conversation): void => {
    for (const [number, payload] of names.entries()) wire.sendPublish({ topic: 'orders', payload, qos: 1 }, number + 1);
  };
  sendAll(publisher);
  await cluster.redis.restart();
  await publisher.expectPacket({ type: 'disconnect', reasonCode: 0x8b }, 20_000);
  sendAll(await a.connect({ clientId: 'publisher' }));
  const came = await takeAll(subscriber, b, session, new Set(names));
  const after = came.filter((text) => text.startsWith('after'));
  expect(qos === 2 ? after : [...new Set(after)]).toEqual(names);
  // Whose writes were lost is told.
  await a.says('the store has gone back');
});

/**
 * A message is stored, and waits for another node; Redis ends, the other node answers, Redis comes back. Seen to fail before: the PUBACK came when the other node answered,
 * whatever Redis came back with.
 */
test.each(['an older file', 'all it had'])(
  'what waits for another node when Redis ends is acknowledged when Redis is known to have it: with %s',
  { timeout: 90_000 },
  async (from) => {
    await using cluster = await Cluster.start({ nodes: 2, workers: 1, appendOnly: from === 'all it had' });
    const [a, b] = cluster.nodes;
    const durable = await a.connect({ clientId: 'durable', cleanStart: false, sessionExpirySeconds: 3600 });
    await durable.subscribe('orders', 1);
    const remote = await b.connect({ clientId: 'remote' });
    await remote.subscribe('orders', 1);
    await remote.subscribe('live', 1);
    const publisher = await a.connect({ clientId: 'publisher' });
    const control = await a.connect({ clientId: 'control' });
    if (from === 'an older file') await redisCall(cluster.redis.url, ['SAVE']);
    cluster.ways(b).nats.cut();
    publisher.sendPublish({ topic: 'orders', payload: 'x', qos: 1 }, 1);
    control.sendPublish({ topic: 'live', payload: 'y', qos: 1 }, 1);
    expect(await durable.receiveTexts(1)).toEqual(['x']); // it is in the log
    await cluster.redis.kill();
    await a.says('"event":"node.became-unready","reasons":"store unavailable');
    cluster.ways(b).nats.heal();
    // What needs nothing stored is acknowledged: the link has been through since.
    await control.expectPacket({ type: 'puback', packetId: 1 }, 20_000);
    await publisher.expectNothing();
    await cluster.redis.restart();
    if (from === 'all it had') await publisher.expectPacket({ type: 'puback', packetId: 1 }, 20_000);
    else await publisher.expectPacket({ type: 'disconnect', reasonCode: 0x8b }, 20_000);
  },
);
