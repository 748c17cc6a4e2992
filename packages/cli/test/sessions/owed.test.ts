/**
 * Messages that a subscription owed a durable session, also over the death of a node: after SUBSCRIBE with QoS 0 in its
 * place, and after UNSUBSCRIBE. Seen to fail where a cursor went with its subscription: nothing came.
 */
import { type Conversation, subscribePacket } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Place, startPlace } from './place.ts';

const count = 12;
const window = 4;
const qualities = [1, 2] as const;

// What a memory store has goes with its node.
describe.each(['lmdb', 'redis'] as const)('%s', (store) => {
  let place: Place;
  beforeAll(async () => {
    place = await startPlace(store);
  }, 60_000);
  afterAll(() => place[Symbol.asyncDispose]());

  async function connect(clientId: string): Promise<Conversation> {
    const wire = await place.open();
    await wire.connect({ clientId, cleanStart: false, sessionExpirySeconds: 3600, receiveMaximum: window });
    return wire;
  }

  async function feed(topic: string, qos: 1 | 2, payloads: readonly string[]): Promise<void> {
    const publisher = await place.open();
    await publisher.connect({ clientId: `publisher of ${topic}` });
    for (const payload of payloads) await publisher.publish({ topic, payload, qos });
    await publisher.drop();
  }

  /**
   * Two clients, the subscription of one replaced, the other's removed; both were sent what their window takes, and
   * have acknowledged nothing.
   */
  async function begin(topic: string, qos: 1 | 2): Promise<Conversation[]> {
    const wires = await Promise.all([connect(`replaced ${topic}`), connect(`removed ${topic}`)]);
    const [replaced, removed] = wires;
    for (const wire of wires) await wire.subscribe(topic, qos);
    await feed(
      topic,
      qos,
      Array.from({ length: count }, (_, number) => `${number}`),
    );
    for (const wire of wires) for (let at = 0; at < window; at++) await wire.expect('publish');
    await replaced.subscribe(topic, 0);
    removed.send({ type: 'unsubscribe', packetId: 9, filters: [topic], properties: {} });
    await removed.expect('unsuback');
    return wires;
  }

  /** Acknowledges what comes up to this payload; each is told once, whatever came again. */
  async function takeUntil(wire: Conversation, last: string): Promise<string[]> {
    const taken = await wire.receive((received) => received.some(({ payload }) => payload.toString() === last));
    return [...new Set(taken.map(({ payload, qos }) => `${payload} q${qos}`))];
  }

  async function goOn(topic: string, qos: 1 | 2): Promise<void> {
    const numbers = Array.from({ length: count }, (_, number) => `${number} q${qos}`);
    const [replaced, removed] = await Promise.all([connect(`replaced ${topic}`), connect(`removed ${topic}`)]);
    await feed(topic, qos, ['live']);
    expect(await takeUntil(replaced, 'live')).toEqual([...numbers, 'live q0']);
    removed.send(subscribePacket({ filter: `end/${topic}`, qos: 1 }, 3));
    await removed.expectAmong('suback');
    await feed(`end/${topic}`, 1, ['end']);
    expect(await takeUntil(removed, 'end')).toEqual([...numbers.slice(0, window), 'end q1']);
  }

  test.each(qualities)('QoS %i: the connections are lost', async (qos) => {
    const wires = await begin(`lost/${qos}`, qos);
    for (const wire of wires) await wire.drop();
    await goOn(`lost/${qos}`, qos);
  });

  test.each(qualities)('QoS %i: the sessions are taken over', async (qos) => {
    await begin(`taken/${qos}`, qos);
    await goOn(`taken/${qos}`, qos);
  });

  /** The only member of its group: its messages would go with it. */
  async function beginShared(topic: string): Promise<Conversation> {
    const wire = await connect(`shared ${topic}`);
    await wire.subscribe(`$share/g/${topic}`, 1);
    const payloads = Array.from({ length: count }, (_, number) => `${number}`);
    await feed(topic, 1, payloads);
    for (let at = 0; at < window; at++) await wire.expect('publish');
    await wire.subscribe(`$share/g/${topic}`, 0);
    return wire;
  }

  async function goOnShared(topic: string): Promise<void> {
    const wire = await connect(`shared ${topic}`);
    const payloadsOf = (received: readonly { payload: Buffer }[]): Set<string> =>
      new Set(received.map(({ payload }) => payload.toString()));
    const taken = await wire.receive((received) => payloadsOf(received).size === count);
    const numbers = Array.from({ length: count }, (_, number) => `${number}`);
    expect([...payloadsOf(taken)].sort()).toEqual(numbers.sort());
    await feed(topic, 1, ['live']);
    expect(await wire.expectAmong('publish')).toMatchObject({ qos: 0 });
  }

  test('a shared subscription, alone in its group: the connection is lost, the session is taken over', async () => {
    const wire = await beginShared('shared/lost');
    await wire.drop();
    await goOnShared('shared/lost');
    await beginShared('shared/taken');
    await goOnShared('shared/taken');
  });

  // Last, since the node need not come back.
  test('QoS 1 and 2: their node is killed', async () => {
    for (const qos of qualities) await begin(`killed/${qos}`, qos);
    await beginShared('shared/killed');
    await place.kill();
    for (const qos of qualities) await goOn(`killed/${qos}`, qos);
    await goOnShared('shared/killed');
  });
});
