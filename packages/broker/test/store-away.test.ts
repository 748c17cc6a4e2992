/**
 * Messages that were stored before the store went away, and wait for something else: while the store is away nobody is
 * told that it is safe, since the store may come back without it. Seen to fail with `Broker.storeLost` doing nothing:
 * each was acknowledged as soon as the other worker answered, and a will or a delayed message that the store had lost
 * came to nobody.
 */
import { expect, test } from 'vitest';
import { readRecord } from '../src/message/message-record.ts';
import { ack, type Client, connect, publish } from './support/client.ts';
import { lossy } from './support/lossy-world.ts';
import type { World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;
/** A link sends again after half a second. */
const resendMilliseconds = 1000;
const stepMilliseconds = 100;

/** Two workers; at the first a durable subscriber to `t`, at the second one that has its messages by the link alone. */
async function twoWorkers() {
  const { world, workers, hub } = await lossy(2, { routeConfirmMilliseconds: 3_600_000 });
  const [here, there] = workers;
  const reader = await here.connect('reader', durable);
  await reader.subscribe('t', 2);
  const remote = await there.connect('remote');
  await remote.subscribe('t', 2);
  await remote.subscribe('live', 1);
  const [one, other] = workers.map(({ broker }) => broker.self);
  return { world, here, there, reader, remote, cut: () => hub.cut(one, other), heal: () => hub.heal() };
}

type Two = Awaited<ReturnType<typeof twoWorkers>>;

/** Everything between the workers has come again, which something that needs no store shows. */
async function linksAreThrough({ world, here, heal }: Two): Promise<void> {
  const control = await here.connect('control');
  await control.send(publish('live', 'x', 1, 1));
  expect(control.said()).toEqual([]);
  heal();
  for (let said: string[] = []; said.length === 0; said = control.said()) await world.clock.pass(stepMilliseconds);
}

/** Messages in a log. */
async function logOf(world: World): Promise<string[]> {
  const { entries } = await world.store.logs.read('t', 1, 100, 1e6, world.clock.now());
  return entries.map(({ record }) => {
    const { bytes, payloadStart, payloadEnd } = readRecord(record);
    return bytes.toString('latin1', payloadStart, payloadEnd);
  });
}

/** A publish that is stored and waits for the other worker when the store goes away. */
const waiting = [
  ['a PUBACK', {}, publish('t', 'x', 1, 1), 'puback #1'],
  ['a PUBREC', {}, publish('t', 'x', 2, 1), 'pubrec #1'],
  ['a PUBREC of a durable session', durable, publish('t', 'x', 2, 1), 'pubrec #1'],
  ['a PUBACK of a retained message', {}, publish('live', 'x', 1, 1, { retain: true }), 'puback #1'],
] as const;

async function published(options: object, packet: (typeof waiting)[number][2]): Promise<Two & { publisher: Client }> {
  const two = await twoWorkers();
  const publisher = await two.here.connect('publisher', options);
  two.cut();
  await publisher.send(packet);
  two.here.broker.storeLost();
  await linksAreThrough(two);
  expect(publisher.said()).toEqual([]);
  return { ...two, publisher };
}

test.each(waiting)('%s leaves when the store is there again', async (_what, options, packet, answer) => {
  const { here, publisher } = await published(options, packet);
  here.broker.storeReturned();
  await publisher.send({ type: 'pingreq' });
  expect(publisher.said()).toEqual([answer, 'pingresp']);
});

test.each(waiting)('%s never leaves when the store has gone back', async (_what, options, packet) => {
  const { here, publisher } = await published(options, packet);
  here.broker.storeSetBack('a mark is missing');
  here.broker.storeReturned();
  expect(publisher.said()).toEqual(['disconnect 0x8b']);
});

test('what is behind one that is held is held with it; who needs nothing stored is served', async () => {
  const { here, publisher } = await published({}, publish('t', 'x', 1, 1));
  await publisher.send(publish('nobody', 'y', 1, 2), { type: 'pingreq' });
  expect(publisher.said()).toEqual(['pingresp']);
  here.broker.storeReturned();
  await publisher.send({ type: 'pingreq' });
  expect(publisher.said()).toEqual(['puback #1', 'puback #2 0x10', 'pingresp']);
});

/** A store of several servers, of which one is away. */
test('what is stored while a part of the store is away is acknowledged, until that part is lost too', async () => {
  const two = await twoWorkers();
  const { here, cut } = two;
  here.broker.storeLost();
  const publisher = await here.connect('publisher');
  await publisher.send(publish('t', 'x', 1, 1));
  expect(publisher.said()).toEqual(['puback #1']);
  cut();
  await publisher.send(publish('t', 'y', 1, 2));
  here.broker.storeLost();
  await linksAreThrough(two);
  await publisher.send({ type: 'pingreq' });
  expect(publisher.said()).toEqual(['pingresp']);
});

/** The client connects anew, and sends again what was taken in before. */
test('the PUBREC of a message that comes again waits for the store', async () => {
  const { here, there } = await twoWorkers();
  const first = await there.connect('publisher', durable);
  await first.send(publish('t', 'x', 2, 1));
  expect(first.said()).toEqual(['pubrec #1']);
  const publisher = await here.connect('publisher', durable);
  here.broker.storeLost();
  await publisher.send(publish('t', 'x', 2, 1, { dup: true }), { type: 'pingreq' });
  await publisher.send(publish('t', 'x', 2, 1, { dup: true }), { type: 'pingreq' });
  expect(publisher.said()).toEqual(['pingresp', 'pingresp']);
  here.broker.storeReturned();
  await publisher.send(ack('pubrel', 1));
  expect(publisher.said()).toEqual(['pubrec #1', 'pubrec #1', 'pubcomp #1']);
});

test.each(['there', 'older'])('the SUBACK of a durable session waits until the store is %s again', async (how) => {
  const two = await twoWorkers();
  const { here, cut } = two;
  const client = await here.connect('client', durable);
  const ephemeral = await here.connect('ephemeral');
  cut();
  expect(await client.subscribe('new', 1)).toEqual([]);
  expect(await ephemeral.subscribe('new', 1)).toEqual([]);
  here.broker.storeLost();
  await linksAreThrough(two);
  expect(ephemeral.said()).toEqual(['suback 0x01']);
  expect(client.said()).toEqual([]);
  if (how === 'older') here.broker.storeSetBack('a mark is missing');
  here.broker.storeReturned();
  await two.world.clock.settle();
  expect(client.said()).toEqual([how === 'older' ? 'disconnect 0x8b' : 'suback 0x01']);
});

/** Publishers of both have their acknowledgement, or need none: nobody sends them again but the broker. */
test.each(['will', 'delayed message'])('a %s that the store has lost again is published again', async (what) => {
  const two = await twoWorkers();
  const { world, here, reader, remote, cut } = two;
  const will = { topic: 't', payload: Buffer.from('x'), qos: 1 as const, retain: false, properties: {} };
  const client = await here.connect('client', { ...durable, will: what === 'will' ? will : null });
  if (what === 'delayed message') await client.send(publish('$delayed/3/t', 'x', 1, 1));
  cut();
  if (what === 'will') await client.drop();
  else await world.clock.pass(4000);
  expect(await logOf(world)).toEqual(['x']);
  here.broker.storeLost();
  await linksAreThrough(two);
  expect(here.gate.calls).not.toContain(what === 'will' ? 'wills.remove' : 'delayed.remove');
  here.broker.storeSetBack('a mark is missing');
  here.broker.storeReturned();
  await world.clock.pass(resendMilliseconds);
  expect(await logOf(world)).toEqual(['x', 'x']);
  expect(here.gate.calls).toContain(what === 'will' ? 'wills.remove' : 'delayed.remove');
  expect(reader.said()).toEqual(['publish t x q1 #1', 'disconnect 0x8b']);
  expect(remote.said()).toEqual(['publish t x q1 #1', 'publish live x q1 #2', 'publish t x q1 #3']);
});

test('a CONNECT that was on its way when the store went back is refused', async () => {
  const { world, here } = await twoWorkers();
  const client = here.socket();
  here.gate.holdAnswers('sessions.claim');
  await client.send(connect('late', durable));
  here.broker.storeLost();
  here.broker.storeSetBack('a mark is missing');
  here.broker.storeReturned();
  here.gate.openAnswers('sessions.claim');
  await world.clock.settle();
  expect(client.said()).toEqual(['connack 0x88']);
});
