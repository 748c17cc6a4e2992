/** Limits on what one session may subscribe to: numbers, bytes, shared groups. */
import { describe, expect, test } from 'vitest';
import { newSharedCounts, newSubscriptionCounts, SharedCounts } from '../src/guards/shared-counts.ts';
import { SubscriptionBudget } from '../src/guards/subscription-budget.ts';
import { defaultLimits } from '../src/ports/limits.ts';
import type { Client } from './support/client.ts';
import { World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;
const filters = (count: number) => Array.from({ length: count }, (_, index) => `f/${index}`);

/** Reason codes of one SUBSCRIBE with all of these. */
async function subscribeAtOnce(client: Client, names: readonly string[], qos: 0 | 1 = 0): Promise<number[]> {
  return (await answerTo(client, names, qos)).reasonCodes;
}

interface Answer {
  reasonCodes: number[];
  reasonString: string;
}

/** Answer to one SUBSCRIBE with all of these. */
async function answerTo(client: Client, names: readonly string[], qos: 0 | 1): Promise<Answer> {
  const options = { qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  await client.send({
    ...{ type: 'subscribe', packetId: 9, subscriptionIdentifier: 0, properties: {} },
    subscriptions: names.map((filter) => ({ filter, ...options })),
  });
  const suback = client.received().find((packet) => packet.type === 'suback');
  return { reasonCodes: suback?.reasonCodes ?? [], reasonString: suback?.properties.reasonString ?? '' };
}

test('a session may have limits.subscriptionsMax, in one packet or several, and others when some are gone', async () => {
  const { worker } = await World.alone({ limits: { subscriptionsMax: 100 } });
  const client = await worker.connect('c');
  expect(await subscribeAtOnce(client, filters(103))).toEqual([...Array(100).fill(0), 0x97, 0x97, 0x97]);
  expect(await client.subscribe('f/5', 1)).toEqual([1]); // one that it has is replaced
  await client.send({ type: 'unsubscribe', packetId: 3, filters: ['f/1', 'f/2', 'f/200'], properties: {} });
  client.received();
  expect(await subscribeAtOnce(client, ['a', 'a', 'b', 'c'])).toEqual([0, 0, 0, 0x97]);
  const old = await worker.connect('old', { version: 4 });
  expect(await subscribeAtOnce(old, filters(101))).toEqual([...Array(100).fill(0), 0x80]);
});

test('the answer says which limit is reached and what it allows, unless the client wants no reasons', async () => {
  const { worker } = await World.alone({ limits: { subscriptionsMax: 1 } });
  for (const [requestProblemInformation, properties] of [
    [1, { reasonString: 'limits.subscriptionsMax is reached: 1' }],
    [0, {}],
  ] as const) {
    const client = await worker.connect('c', { properties: { requestProblemInformation } });
    await client.subscribe('a', 0);
    await client.send({
      ...{ type: 'subscribe', packetId: 9, subscriptionIdentifier: 0, properties: {} },
      subscriptions: [{ filter: 'b', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
    });
    expect(client.one('suback')).toMatchObject({ reasonCodes: [0x97], properties });
  }
  expect(worker.log).toContainEqual(expect.stringContaining('limits.subscriptionsMax is reached: 1'));
});

test.each([
  ['long', (index: number) => `${100 + index}/`.padEnd(976, 'x'), 100, 175_200],
  ['deep', (index: number) => `${10 + index}${'/x'.repeat(99)}`, 7, 95_300],
])('%s filters are limited by bytes', async (_what, filter, granted, subscriptionBytesMax) => {
  const { worker } = await World.alone({ limits: { subscriptionBytesMax } });
  const client = await worker.connect('c');
  const codes: number[] = [];
  for (let index = 0; index < granted + 3; index++) codes.push(...(await client.subscribe(filter(index), 0)));
  expect(codes).toEqual([...Array(granted).fill(0), 0x97, 0x97, 0x97]);
  expect(await client.subscribe('short', 0)).toEqual([0]);
});

test('a stored session keeps what it has when a limit was lowered, and gets no more', async () => {
  const { world, worker } = await World.alone();
  const client = await worker.connect('c', durable);
  await subscribeAtOnce(client, filters(50), 1);
  await client.drop();
  const stricter = await world.replace(worker, { limits: { subscriptionsMax: 10 } });
  const again = await stricter.connect('c', durable);
  expect(stricter.view.session('c')?.filters).toHaveLength(50);
  expect(await again.subscribe('f/7', 2)).toEqual([2]);
  expect(await again.subscribe('more', 1)).toEqual([0x97]);
});

test('what the store does not take is not charged', async () => {
  const { world, worker } = await World.alone({ limits: { subscriptionsMax: 3 } });
  for (let round = 0; round < 3; round++) {
    const client = await worker.connect('c', durable);
    worker.gate.refused = ['sessions.subscribe'];
    expect(await subscribeAtOnce(client, ['a', 'b', 'c'], 1)).toEqual([]);
    worker.gate.refused = 'none';
    await world.clock.pass(1000);
  }
  const client = await worker.connect('c', durable);
  expect(await subscribeAtOnce(client, ['a', 'b', 'c', 'd'], 1)).toEqual([1, 1, 1, 0x97]);
});

/** The longest work of one turn would be all of them. */
test.each([5, 4] as const)(
  'of a SUBSCRIBE with MQTT %i so many filters are looked at, the others are refused at once',
  async (version) => {
    const { worker } = await World.alone({ limits: { filtersPerPacketMax: 300 } });
    const client = await worker.connect('c', { version });
    await client.send({
      ...{ type: 'subscribe', packetId: 9, subscriptionIdentifier: 0, properties: {} },
      subscriptions: filters(70_000).map((filter) => ({
        ...{ filter, qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 },
      })),
    });
    const { reasonCodes, properties } = client.one('suback');
    expect(reasonCodes).toEqual([...Array(300).fill(0), ...Array(69_700).fill(version === 5 ? 0x97 : 0x80)]);
    const reasonString = '70000 filters in a packet; limits.filtersPerPacketMax is 300';
    expect(properties).toEqual(version === 5 ? { reasonString } : {});
    expect(worker.view.session('c')?.filters).toHaveLength(300);
    expect(worker.broker.metrics.subscriptionsRefused['packet-limit']).toBe(69_700);
    expect(worker.log.filter((line) => line.includes(reasonString))).toHaveLength(1);
  },
);

test.each([5, 4] as const)('all filters of an UNSUBSCRIBE with MQTT %i are handled, some a turn', async (version) => {
  const { world, worker } = await World.alone({ limits: { filtersPerPacketMax: 300 } });
  const client = await worker.connect('c', { version });
  for (const filter of ['f/7', 'f/299', 'f/300', 'f/4999']) await client.subscribe(filter, 0);
  client.put({ type: 'unsubscribe', packetId: 3, filters: filters(5000), properties: {} });
  expect(worker.view.session('c')?.filters).toEqual(['f/299', 'f/300', 'f/4999']);
  await world.clock.turnOnce();
  expect(client.said()).toEqual([]);
  await world.clock.settle();
  const { reasonCodes } = client.one('unsuback');
  expect(worker.view.session('c')?.filters).toEqual([]);
  if (version === 5) expect(reasonCodes.flatMap((code, at) => (code === 0 ? [at] : []))).toEqual([7, 299, 300, 4999]);
  if (version === 5) expect(reasonCodes).toHaveLength(5000);
});

describe('all sessions of a user, and all of a node', () => {
  const bytes = (index: number) => 512 + `f/${index}`.length + 2 * 128;

  test('a user has limits.subscriptionsPerUserMax, in whichever sessions; others have theirs', async () => {
    const { worker } = await World.alone({ limits: { subscriptionsPerUserMax: 10 } });
    const one = await worker.connect('one', { userName: 'ann' });
    const two = await worker.connect('two', { userName: 'ann' });
    expect(await subscribeAtOnce(one, filters(7))).toEqual(Array(7).fill(0));
    expect(await subscribeAtOnce(two, filters(4))).toEqual([0, 0, 0, 0x97]);
    const other = await worker.connect('other', { userName: 'ben' });
    expect(await subscribeAtOnce(other, filters(11))).toEqual([...Array(10).fill(0), 0x97]);
    const nameless = await worker.connect('nameless');
    expect(await subscribeAtOnce(nameless, filters(11))).toEqual(Array(11).fill(0));
    await one.drop();
    expect(await subscribeAtOnce(two, filters(10))).toEqual(Array(10).fill(0));
    expect(worker.log).toContainEqual(expect.stringContaining('limits.subscriptionsPerUserMax is reached: 10'));
  });

  test('one user, or all clients without one, may fill half of what the node has: others have the rest', async () => {
    const { worker } = await World.alone({ limits: { subscriptionBytesNodeMax: 100 * (bytes(10) + 64) } });
    const names = filters(60);
    const granted = async (clientId: string, userName?: string) => {
      const client = await worker.connect(clientId, userName === undefined ? {} : { userName });
      const { reasonCodes, reasonString } = await answerTo(client, names, 0);
      return [reasonCodes.filter((code) => code === 0).length, reasonString];
    };
    const half = 'this user has its half of limits.subscriptionBytesNodeMax: 83600';
    expect(await granted('one', 'ann')).toEqual([50, half]);
    expect(await granted('two', 'ann')).toEqual([0, half]);
    expect(await granted('nameless')).toEqual([50, half]);
    expect(await granted('other', 'ben')).toEqual([0, 'limits.subscriptionBytesNodeMax is reached: 83600']);
  });

  test('durable filters of sessions that are away count for the node, and no more are taken when it is full', async () => {
    const { worker } = await World.alone({ limits: { subscriptionBytesNodeMax: 20 * bytes(10) } });
    for (const clientId of ['a', 'b', 'c', 'd']) {
      const client = await worker.connect(clientId, { ...durable, userName: clientId });
      await subscribeAtOnce(
        client,
        Array.from({ length: 8 }, (_, index) => `${clientId}/${10 + index}`),
        1,
      );
      await client.drop();
    }
    expect(worker.view.durableFilters).toBe(24); // those of one packet are looked at before they are in force
    const late = await worker.connect('late', { ...durable, userName: 'late' });
    const full = {
      reasonCodes: [0x97, 1],
      reasonString: `limits.subscriptionBytesNodeMax is reached: ${20 * bytes(10)}`,
    };
    expect(await answerTo(late, ['new', 'a/10'], 1)).toEqual(full);
    expect(await subscribeAtOnce(late, ['new'], 0)).toEqual([0]);
  });

  test('workers of a node count together, and what one had is forgotten when it is replaced', () => {
    const limits = { ...defaultLimits, subscriptionsPerUserMax: 2 };
    const memory = newSharedCounts(2);
    const budgetOf = (worker: number) => new SubscriptionBudget(limits, new SharedCounts(memory, worker));
    const session = () => ({ holdings: null, connection: { signIn: { userName: 'ann' } } });
    const [first, second] = [budgetOf(0), budgetOf(1)];
    expect([first.take(session(), 'a'), second.take(session(), 'a')]).toEqual([null, null]);
    for (const budget of [first, second]) expect(budget.take(session(), 'b')?.counted).toBe('user-limit');
    expect(budgetOf(1).take(session(), 'b')).toBeNull();
  });

  test('of 20,000 users hardly one is refused what it may have, since others are counted with it', () => {
    const limits = { ...defaultLimits, subscriptionsPerUserMax: 6 };
    const users = 20_000;
    const budget = new SubscriptionBudget(limits, new SharedCounts(newSubscriptionCounts(1, limits, users), 0));
    const sessions = Array.from({ length: users }, (_, user) => ({
      holdings: null,
      connection: { signIn: { userName: `user-${user}` } },
    }));
    let refused = 0;
    for (const filter of filters(6))
      for (const session of sessions) if (budget.take(session, filter) !== null) refused++;
    expect(refused / (6 * users)).toBeLessThan(0.03);
    for (const session of sessions.slice(0, 1000)) expect(budget.take(session, 'one/more')).not.toBeNull();
  });

  test('sessions that end, and are restored, are counted once', async () => {
    const { worker } = await World.alone({ limits: { subscriptionsPerUserMax: 5 } });
    for (let round = 0; round < 3; round++) {
      const client = await worker.connect('c', { ...durable, userName: 'ann' });
      expect(await subscribeAtOnce(client, filters(6), 1)).toEqual([1, 1, 1, 1, 1, 0x97]);
      await client.drop();
    }
  });
});

test('a session may be a member of eight groups on one filter, and of as many on another', async () => {
  const { worker } = await World.alone();
  const client = await worker.connect('c');
  const groups = (filter: string) => Array.from({ length: 10 }, (_, index) => `$share/g${index}/${filter}`);
  const eight = [...Array(8).fill(0), 0x97, 0x97];
  expect(await subscribeAtOnce(client, groups('t'))).toEqual(eight);
  expect(await subscribeAtOnce(client, groups('u'))).toEqual(eight);
  expect(await client.subscribe('$share/g3/t', 1)).toEqual([1]);
  await client.send({ type: 'unsubscribe', packetId: 3, filters: ['$share/g3/t'], properties: {} });
  client.received();
  expect(await subscribeAtOnce(client, groups('t').slice(8))).toEqual([0, 0x97]);
  const other = await worker.connect('other');
  expect(await subscribeAtOnce(other, groups('t').slice(8))).toEqual([0, 0]);
});
