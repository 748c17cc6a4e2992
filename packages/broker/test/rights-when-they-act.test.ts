/** Wills and delayed messages are published later than they were allowed: rights are asked again then. */
import { describe, expect, test } from 'vitest';
import type { Authenticator } from '../src/ports/authenticator.ts';
import type { Authorizer, ClientIdentity } from '../src/ports/authorizer.ts';
import { publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

class Rules implements Authorizer {
  isWithdrawn = false;
  readonly clients: ClientIdentity[] = [];

  authorize(client: ClientIdentity, action: string): boolean {
    if (action === 'publish') this.clients.push(client);
    return action === 'subscribe' || !this.isWithdrawn || client.userName !== 'ann';
  }
}

const authenticator: Authenticator = {
  authenticate: ({ userName }) => ({ kind: 'accept', userName, ...(userName === 'token' ? { rules: [] } : {}) }),
  exchange: () => null,
};

const will = { topic: 'gone', qos: 1, retain: false, payload: Buffer.from('x'), properties: {} } as const;

async function begin() {
  const rules = new Rules();
  const { world, workers } = await World.of(2, { authenticator, authorizer: rules });
  const watcher = await workers[1].connect('watcher', { userName: 'watcher' });
  await watcher.subscribe('gone', 0);
  await watcher.subscribe('later', 0);
  return { rules, world, workers, watcher };
}

function dropped(workers: readonly Worker[]): number {
  return workers.reduce((sum, { broker }) => sum + broker.metrics.dropped['not-authorized'], 0);
}

describe.each([false, true])('a right that is withdrawn: %s', (isWithdrawn) => {
  test('a will when its connection is lost', async () => {
    const { rules, workers, watcher } = await begin();
    const client = await workers[0].connect('c', { userName: 'ann', will });
    rules.isWithdrawn = isWithdrawn;
    await client.drop();
    expect(watcher.said()).toEqual(isWithdrawn ? [] : ['publish gone x q0']);
    expect(dropped(workers)).toBe(isWithdrawn ? 1 : 0);
    expect(rules.clients.at(-1)).toMatchObject({ clientId: 'c', userName: 'ann', remoteAddress: '192.0.2.1:1883' });
  });

  test('a will with a delay, which another worker publishes', async () => {
    const { rules, world, workers, watcher } = await begin();
    const delayed = { ...will, properties: { willDelayInterval: 5 } };
    const client = await workers[1].connect('c', { userName: 'ann', expiry: 100, will: delayed });
    await client.drop();
    rules.isWithdrawn = isWithdrawn;
    await world.clock.pass(7000);
    expect(watcher.said()).toEqual(isWithdrawn ? [] : ['publish gone x q0']);
    expect(await world.store.wills.takeDue(Infinity, 9)).toEqual([]);
  });

  test.each([0, 1, 2] as const)('a delayed message, QoS %s', async (qos) => {
    const { rules, world, workers, watcher } = await begin();
    const client = await workers[1].connect('c', { userName: 'ann' });
    await client.send(publish('$delayed/5/later', 'x', qos, qos === 0 ? 0 : 1));
    rules.isWithdrawn = isWithdrawn;
    await world.clock.pass(7000);
    expect(watcher.said()).toEqual(isWithdrawn ? [] : ['publish later x q0']);
    expect(dropped(workers)).toBe(isWithdrawn ? 1 : 0);
    expect(await world.store.delayed.takeDue(Infinity, 9)).toEqual([]);
  });
});

test('a client that has brought rules of its own is not asked for again: they are gone with its connection', async () => {
  const { rules, workers, watcher } = await begin();
  const client = await workers[0].connect('c', { userName: 'token', will });
  const asked = rules.clients.length;
  await client.drop();
  expect(watcher.said()).toEqual(['publish gone x q0']);
  expect(rules.clients).toHaveLength(asked);
});

/** Late answers, as where an HTTP service is asked. */
const late: [string, () => Promise<boolean>, string[]][] = [
  ['allows it', async () => true, ['publish gone x q0', 'publish later x q0']],
  ['denies it', async () => false, []],
  ['fails', () => Promise.reject(new Error('no answer')), []],
];
describe.each(late)('an authorizer that answers later %s', (_title, answer, said) => {
  test('a will, and a delayed message', async () => {
    let isLeft = false;
    const authorizer: Authorizer = {
      authorize: (_client, action) => (isLeft && action === 'publish' ? answer() : Promise.resolve(true)),
    };
    const { world, workers } = await World.of(2, { authenticator, authorizer });
    const watcher = await workers[1].connect('watcher');
    await watcher.subscribe('#', 0);
    const client = await workers[0].connect('c', { userName: 'ann', will });
    await client.send(publish('$delayed/5/later', 'x', 1, 1));
    isLeft = true;
    await client.drop();
    await world.clock.pass(7000);
    expect(watcher.said()).toEqual(said);
    expect(await world.store.delayed.takeDue(Infinity, 9)).toEqual([]);
  });
});

test.each([
  ['without rules of its own is asked for', 'ann', []],
  ['with rules of its own is not', 'token', ['publish gone x q0', 'publish later x q0']],
])('a client whose token has expired meanwhile, %s', async (_title, userName, said) => {
  let isWithdrawn = false;
  const authorizer: Authorizer = { authorize: (_client, action) => action === 'subscribe' || !isWithdrawn };
  const expiring: Authenticator = {
    authenticate: ({ userName }) => ({
      kind: 'accept',
      userName,
      ...(userName === 'token' ? { rules: [] } : {}),
      ...(userName === 'watcher' ? {} : { expiresAt: 1_700_000_002_000 }),
    }),
    exchange: () => null,
  };
  const { world, workers } = await World.of(2, { authenticator: expiring, authorizer });
  const client = await workers[0].connect('c', { userName, will });
  await client.send(publish('$delayed/9/later', 'x', 1, 1));
  client.received();
  await world.clock.pass(1000);
  const watcher = await workers[1].connect('watcher', { userName: 'watcher' });
  await watcher.subscribe('#', 0);
  isWithdrawn = true;
  await world.clock.pass(3000);
  expect(client.said()).toEqual(['disconnect 0xa0']);
  await world.clock.pass(9000);
  expect(watcher.said()).toEqual(said);
});
