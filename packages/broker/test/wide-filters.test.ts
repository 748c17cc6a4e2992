/** Filters with many wildcards: what they may cost the matches of others, and that they refuse nothing to others. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { branchesMax, isWide, WideFilters } from '../src/guards/wide-filters.ts';
import { matchWorkMax } from '../src/handlers/publish.ts';
import type { Authorizer } from '../src/ports/authorizer.ts';
import { SubscriptionTree } from '../src/subscriptions/subscription-tree.ts';
import { publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

/** Everybody may do what they like below `devices/USER/`, and the operator everything. */
const authorizer: Authorizer = {
  authorize: ({ userName }, _action, filter) => userName === 'operator' || filter.startsWith(`devices/${userName}/`),
};
const durable = { cleanStart: false, expiry: 1000 } as const;

/** A name and a `+` at each of the levels below. */
function mallorysFilters(levels: number): string[] {
  return Array.from({ length: levels }, (_, level) => `devices/mallory${'/x'.repeat(level)}`).flatMap((stem) => [
    `${stem}/+`,
    `${stem}/x`,
  ]);
}

/** All filters of this many levels, each `a` or `+`. */
function everyFilter(levels: number, below = ''): string[] {
  return Array.from(
    { length: 1 << levels },
    (_, bits) => Array.from({ length: levels }, (_, i) => ((bits >> i) & 1 ? '+' : 'a')).join('/') + below,
  );
}

async function operatorSubscribes(worker: Worker, clientId: string): Promise<number[]> {
  const operator = await worker.connect(clientId, { userName: 'operator' });
  const codes: number[] = [];
  for (const filter of ['devices/+/status', 'devices/+/x', '+/gauge/status', 'devices/#'])
    codes.push(...(await operator.subscribe(filter, 0)));
  await operator.drop();
  return codes;
}

test('branching filters of one user refuse nothing to another, on any worker, also after restart and reconnect', async () => {
  const { world, workers } = await World.of(2, { authorizer });
  const mallory = await workers[0].connect('mallory', { ...durable, userName: 'mallory' });
  for (const filter of mallorysFilters(6)) expect(await mallory.subscribe(filter, 1)).toEqual([1]);
  for (const [index, worker] of workers.entries())
    expect(await operatorSubscribes(worker, `operator-${index}`)).toEqual([0, 0, 0, 0]);
  await mallory.drop();
  await workers[0].crash();
  await world.store.sessions.releaseOwner(workers[0].broker.self, world.clock.now());
  const replaced = await world.add({ authorizer });
  await replaced.connect('mallory', { ...durable, userName: 'mallory' });
  expect(replaced.view.session('mallory')?.filters).toHaveLength(12);
  for (const [index, worker] of [workers[1], replaced].entries())
    expect(await operatorSubscribes(worker, `again-${index}`)).toEqual([0, 0, 0, 0]);
});

test('wide filters are charged to their user: another one has all of hers, and the first again when some have left', async () => {
  const { worker } = await World.alone();
  const wide = everyFilter(branchesMax + 2).filter(isWide);
  const mallory = await worker.connect('mallory', { userName: 'mallory' });
  const codes: number[] = [];
  for (const filter of wide) codes.push(...(await mallory.subscribe(filter, 0)));
  expect(codes).toContain(0x97);
  // The same user on another connection is the same user.
  const twin = await worker.connect('twin', { userName: 'mallory' });
  const refused = wide[codes.indexOf(0x97)];
  expect(await twin.subscribe(refused, 0)).toEqual([0x97]);
  const other = await worker.connect('other', { userName: 'other' });
  expect(await other.subscribe(refused, 0)).toEqual([0]);
  await mallory.drop();
  expect(await twin.subscribe(refused, 0)).toEqual([0]);
});

test('the answer says which limit it was', async () => {
  const { worker } = await World.alone();
  const client = await worker.connect('c');
  for (const filter of everyFilter(branchesMax + 2)) await client.subscribe(filter, 0);
  await client.send({
    ...{ type: 'subscribe', packetId: 7, subscriptionIdentifier: 0, properties: {} },
    subscriptions: [{ filter: '+/a/+/a/+/a/+/a', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
  });
  const reasonString = 'too many filters of this user with two or more + cross above its levels';
  expect(client.one('suback')).toMatchObject({ reasonCodes: [0x97], properties: { reasonString } });
});

describe('nodes that a match visits', () => {
  /** Subscribes to all that are granted; most nodes that a match visited then. */
  async function visitedBy(owners: string[], filters: string[], topic: string): Promise<number> {
    const { worker } = await World.alone({ limits: { subscriptionsMax: 100_000, subscriptionBytesMax: 2 ** 40 } });
    for (const owner of owners) {
      const client = await worker.connect(owner, { userName: owner });
      for (const filter of filters) await client.subscribe(filter, 0);
    }
    const before = worker.broker.tree.nodesVisited;
    await (await worker.connect('publisher')).send(publish(topic, 'x'));
    return worker.broker.tree.nodesVisited - before;
  }

  const nodesWithOnePlus = (levels: number) => ((levels + 1) * (levels + 2)) / 2;

  test('one user makes a match of 100 levels visit 2^6 paths more than plain filters do', async () => {
    const tail = '/a'.repeat(88);
    const visited = await visitedBy(['mallory'], everyFilter(12, tail), `${Array(12).fill('a').join('/')}${tail}`);
    expect(visited).toBeGreaterThan(64 * 88); // the limit is used
    expect(visited).toBeLessThan(nodesWithOnePlus(100) + 64 * 100);
  }, 60_000);

  test('a topic of few levels has no more than there are names for, whoever subscribes to whatever', async () => {
    const visited = await visitedBy(
      Array.from({ length: 40 }, (_, index) => `user-${index}`),
      everyFilter(6),
      'a/a/a/a/a/a',
    );
    expect(visited).toBeLessThanOrEqual(2 ** 7 - 1);
  });

  test('plain filters, of which there is no limit, make few', async () => {
    const plain = everyFilter(10).filter((filter) => !isWide(filter));
    expect(plain).toHaveLength(11);
    const visited = await visitedBy(['a', 'b'], plain, Array(10).fill('a').join('/'));
    expect(visited).toBeLessThanOrEqual(nodesWithOnePlus(10));
  });
});

test.each([0, 1] as const)(
  'topics of QoS %i that are costly to match take some a turn, in their order, and others are served in between',
  async (qos) => {
    const { world, worker } = await World.alone({
      limits: { subscriptionsMax: 100_000, subscriptionBytesMax: 2 ** 40 },
    });
    const mallory = await worker.connect('mallory', { userName: 'mallory' });
    for (const filter of everyFilter(10, `${'/a'.repeat(90)}/+`)) await mallory.subscribe(filter, qos);
    const [publisher, other] = [await worker.connect('publisher'), await worker.connect('other')];
    await other.subscribe('other', 0);
    const { tree } = worker.broker;
    const numbers = Array.from({ length: 60 }, (_, index) => String(index));
    const before = tree.nodesVisited;
    publisher.put(...numbers.map((n) => publish(`a${'/a'.repeat(99)}/${n}`, n, qos, 1 + Number(n))));
    const inOneTurn = tree.nodesVisited - before;
    expect(inOneTurn).toBeGreaterThan(matchWorkMax);
    expect(inOneTurn).toBeLessThan(2 * matchWorkMax);
    await world.clock.turnOnce();
    other.put(publish('other', 'x'));
    await world.clock.turnOnce();
    expect(other.said()).toEqual(['publish other x q0']);
    expect(tree.nodesVisited - before).toBeLessThan(8 * matchWorkMax);
    await world.clock.settle();
    expect(tree.nodesVisited - before).toBeGreaterThan(8 * matchWorkMax);
    const got = mallory.received().flatMap((packet) => (packet.type === 'publish' ? [packet.payload.toString()] : []));
    expect(got).toEqual(numbers);
    if (qos === 1) expect(publisher.said()).toEqual(numbers.map((n) => `puback #${1 + Number(n)}`));
  },
);

const level = fc.constantFrom('a', 'b', '', '+', '+', '+');
const filter = fc
  .tuple(fc.array(level, { minLength: 1, maxLength: 9 }), fc.boolean())
  .map(([levels, multi]) => (multi ? [...levels, '#'] : levels).join('/'));

test('what is added and removed, in any order, leaves nothing behind, and the bound holds at any time', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(filter, fc.boolean()), { maxLength: 200 }), (steps) => {
      const wideFilters = new WideFilters();
      const held: string[] = [];
      for (const [name, leaves] of steps) {
        if (leaves && held.length > 0) wideFilters.remove('u', held.splice(held.length >> 1, 1)[0]);
        else if (wideFilters.mayAdd('u', name)) {
          wideFilters.add('u', name);
          held.push(name);
        }
        const tree = new SubscriptionTree();
        for (const one of held.filter(isWide)) tree.entry(one).endpoints = ['another'];
        tree.match('a/a/a/a/a/a/a/a/a');
        expect(tree.nodesVisited).toBeLessThanOrEqual(2 ** branchesMax * 10);
      }
      for (const name of held) wideFilters.remove('u', name);
      expect(wideFilters.ownerCount).toBe(0);
    }),
    { numRuns: 50 },
  );
});
