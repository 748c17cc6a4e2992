/** Clients that are banned: at CONNECT, while they are connected, and as other workers come to know of it. */
import type { Packet } from '@dunlin/protocol';
import { describe, expect, test } from 'vitest';
import { canonicalRange } from '../src/guards/address-range.ts';
import { BanTable } from '../src/guards/ban-table.ts';
import type { AuthenticationExchange, AuthenticationResult } from '../src/ports/authenticator.ts';
import type { Ban, BanTarget } from '../src/ports/ban-store.ts';
import { type Client, connect } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const nobody: BanTarget = { clientId: null, userName: null, address: null };
const start = 1_700_000_000_000;

function ban(target: Partial<BanTarget>, more: Partial<Ban> = {}): Ban {
  return { ...nobody, ...target, reason: '', by: 'ann', createdAt: start, endsAt: Infinity, ...more };
}

async function dialFrom(worker: Worker, address: string, clientId: string, userName?: string): Promise<Client> {
  const client = worker.socket();
  client.transport.remoteAddress = address;
  await client.send(connect(clientId, userName === undefined ? {} : { userName }));
  return client;
}

const here = '192.0.2.7:1883';

describe('CONNECT of a banned client is refused', () => {
  const cases: [string, Partial<BanTarget>, banned: [string, string, string?], free: [string, string, string?]][] = [
    ['by its identifier', { clientId: 'c' }, [here, 'c'], [here, 'd', 'c']],
    ['by its user name', { userName: 'u' }, [here, 'x', 'u'], [here, 'u', 'v']],
    ['by its address', { address: '192.0.2.7' }, [here, 'c'], ['192.0.2.8:1', 'c']],
    ['by its network', { address: '192.0.2.0/24' }, [here, 'c'], ['192.0.3.7:1', 'c']],
    ['by its IPv6 network', { address: '2001:db8::/64' }, ['[2001:db8::7]:1', 'c'], ['[2001:db8:0:1::7]:1', 'c']],
    ['as IPv6 writes IPv4', { address: '192.0.2.0/24' }, ['[::ffff:192.0.2.7]:1', 'c'], ['[::ffff:192.0.3.7]:1', 'c']],
    ['by everybody', { address: '0.0.0.0/0' }, [here, 'c'], ['[::1]:1', 'c']],
    ['by user and address', { userName: 'u', address: '192.0.2.7' }, [here, 'c', 'u'], ['192.0.2.8:1', 'c', 'u']],
    ['by identifier and user', { clientId: 'c', userName: 'u' }, [here, 'c', 'u'], [here, 'c', 'v']],
    ['on a Unix socket', { clientId: 'c' }, ['unix', 'c'], ['unix', 'd']],
  ];
  test.each(cases)('%s', async (_title, target, banned, free) => {
    const { world, worker } = await World.alone();
    await world.store.bans.put(ban(target, { reason: 'guessed passwords', endsAt: start + 1e12 }));
    await world.clock.pass(500);
    const refused = (await dialFrom(worker, ...banned)).one('connack');
    expect(refused.reasonCode).toBe(0x8a);
    expect(refused.properties.reasonString).toMatch(/^banned until 2.*Z: guessed passwords$/);
    expect((await dialFrom(worker, ...free)).said()).toEqual(['connack 0x00']);
    expect(worker.broker.metrics.connectsRefused.banned).toBe(1);
    expect(worker.broker.metrics.listener('test').closed.banned).toBe(1);
    expect(worker.log.filter((line) => line.includes('by ann'))).toHaveLength(1);
  });

  test.each([3, 4] as const)('and hears 5 with MQTT level %i', async (version) => {
    const { world, worker } = await World.alone();
    await world.store.bans.put(ban({ clientId: 'c' }));
    await world.clock.pass(500);
    expect((await worker.dial('c', { version })).one('connack').reasonCode).toBe(5);
  });

  test('before its password is looked at; and by the name that it has proved', async () => {
    let asked = 0;
    const { world, worker } = await World.alone({
      authenticator: {
        authenticate: () => {
          asked++;
          return { kind: 'accept', userName: 'proved' };
        },
        exchange: () => null,
      },
    });
    await world.store.bans.put(ban({ userName: 'given' }));
    await world.store.bans.put(ban({ userName: 'proved' }));
    await world.clock.pass(500);
    expect((await worker.dial('c', { userName: 'given' })).said()).toEqual(['connack 0x8a']);
    expect(asked).toBe(0);
    expect((await worker.dial('c', { userName: 'other' })).said()).toEqual(['connack 0x8a']);
    expect(asked).toBe(1);
  });
});

describe('enhanced authentication', () => {
  const properties = { authenticationMethod: 'names' };
  const auth = (reasonCode: number, name: string): Packet => ({
    type: 'auth',
    reasonCode,
    properties: { ...properties, authenticationData: Buffer.from(name) },
  });

  /** A method whose client first says its name, and then proves the one that it says next. */
  class Names implements AuthenticationExchange {
    claimedName: string | null = null;

    async step(data: Buffer): Promise<AuthenticationResult> {
      if (this.claimedName !== null) return { kind: 'accept', userName: String(data) };
      this.claimedName = String(data);
      return { kind: 'continue', data: Buffer.from('prove it') };
    }
  }

  async function begin() {
    const { world, worker } = await World.alone({
      authenticator: {
        authenticate: () => ({ kind: 'refuse', reasonCode: 0x87, reason: 'no' }),
        exchange: () => new Names(),
      },
      sessionOwner: 'anybody',
    });
    await world.store.bans.put(ban({ userName: 'thief' }));
    await world.clock.pass(500);
    return { world, worker };
  }

  test('a banned name is refused when it is given, before it is proved; another one when it is proved', async () => {
    const { worker } = await begin();
    const authenticationData = Buffer.from('thief');
    const told = await worker.dial('c', { properties: { ...properties, authenticationData } });
    expect(told.said()).toEqual(['connack 0x8a']);
    const client = await worker.dial('c', { properties: { ...properties, authenticationData: Buffer.from('ann') } });
    expect(client.said()).toEqual(['auth']);
    await client.send(auth(0x18, 'thief'));
    expect(client.said()).toEqual(['connack 0x8a']);
  });

  test('a client that signs in again under a banned name is disconnected in place of an answer', async () => {
    const { worker } = await begin();
    const client = await worker.dial('c', { properties: { ...properties, authenticationData: Buffer.from('ann') } });
    await client.send(auth(0x18, 'ann'));
    expect(client.said()).toEqual(['auth', 'connack 0x00']);
    await client.send(auth(0x19, 'ann'));
    await client.send(auth(0x18, 'bob'));
    expect(client.said()).toEqual(['auth', 'auth']);
    await client.send(auth(0x19, 'ann'));
    await client.send(auth(0x18, 'thief'));
    expect(client.said()).toEqual(['auth', 'disconnect 0x98']);
    expect(client.isClosed).toBe(true);
    expect(worker.broker.metrics.listener('test').closed.banned).toBe(1);
  });
});

test('a ban ends by itself, or when it is removed', async () => {
  const { world, worker } = await World.alone();
  const { bans } = world.store;
  await bans.put(ban({ clientId: 'short' }, { endsAt: world.clock.now() + 5000 }));
  await bans.put(ban({ clientId: 'long' }));
  await world.clock.pass(500);
  expect((await worker.dial('short')).said()).toEqual(['connack 0x8a']);
  await world.clock.pass(10_000);
  expect((await worker.dial('short')).said()).toEqual(['connack 0x00']);
  expect((await bans.changes(null, 10)).bans.map(({ clientId }) => clientId)).toEqual(['long']);
  expect((await worker.dial('long')).said()).toEqual(['connack 0x8a']);
  await bans.remove({ ...nobody, clientId: 'long' });
  await world.clock.pass(500);
  expect((await worker.dial('long')).said()).toEqual(['connack 0x00']);
  await world.clock.pass(60_000);
  expect(worker.broker.bans.size).toBe(0);
});

test('a new ban ends the connections that it hits, on every worker within a second, and no others', async () => {
  const { world, workers } = await World.of(2);
  const [one, two] = workers;
  const hit = [await one.connect('c1', { userName: 'u' }), await two.connect('c2', { userName: 'u', version: 4 })];
  const spared = await two.connect('c3', { userName: 'v' });
  const waiting = two.socket();
  two.gate.block('sessions.claim');
  await waiting.send(connect('c4', { userName: 'u' }));
  await world.store.bans.put(ban({ userName: 'u' }, { reason: 'stolen' }));
  await world.clock.pass(1000);
  expect(hit[0].said()).toEqual(['disconnect 0x98']);
  expect(hit.map(({ isClosed }) => isClosed)).toEqual([true, true]);
  expect(waiting.said()).toEqual(['connack 0x8a']);
  two.gate.open('sessions.claim');
  await world.clock.settle();
  expect(two.view.sessions).toBe(1);
  await spared.send({ type: 'pingreq' });
  expect(spared.said()).toEqual(['pingresp']);
  expect(one.broker.metrics.listener('test').closed.banned).toBe(1);
  expect(two.broker.metrics.listener('test').closed.banned).toBe(2);
  expect(one.log.filter((line) => line.startsWith('a client is banned'))).toEqual([
    expect.stringContaining('"reason":"banned: stolen (user \\"u\\"; by ann)"'),
  ]);
});

describe('the store is away', () => {
  test('bans that were read hold, what changed meanwhile is known when it is back', async () => {
    const { world, worker } = await World.alone();
    await world.store.bans.put(ban({ clientId: 'old' }));
    await world.clock.pass(500);
    worker.gate.refused = ['bans.changes'];
    await world.store.bans.put(ban({ clientId: 'new' }));
    await world.store.bans.remove({ ...nobody, clientId: 'old' });
    await world.clock.pass(5000);
    expect((await worker.dial('old')).said()).toEqual(['connack 0x8a']);
    expect((await worker.dial('new')).said()).toEqual(['connack 0x00']);
    expect(worker.log.filter((line) => line.startsWith('bans could not be read'))).toHaveLength(1);
    worker.gate.refused = 'none';
    await world.clock.pass(500);
    expect((await worker.dial('old')).said()).toEqual(['connack 0x00']);
    expect((await worker.dial('new')).said()).toEqual(['connack 0x8a']);
  });

  test('a worker that starts waits for the bans before it accepts', async () => {
    const world = new World();
    await world.store.open();
    await world.store.bans.put(ban({ clientId: 'c' }));
    const worker = world.make();
    worker.gate.refused = ['bans.changes'];
    let isStarted = false;
    const started = worker.start().then(() => {
      isStarted = true;
    });
    await world.clock.pass(3000);
    expect(isStarted).toBe(false);
    worker.gate.refused = 'none';
    await world.clock.pass(500);
    await started;
    expect((await worker.dial('c')).said()).toEqual(['connack 0x8a']);
  });

  test('another store, older or empty, is read anew', async () => {
    const { world, worker } = await World.alone();
    await world.store.bans.put(ban({ clientId: 'c' }));
    await world.clock.pass(500);
    worker.gate.intercept = (method) =>
      method === 'bans.changes'
        ? Promise.resolve({ bans: [], isWhole: true, place: { removals: 0, changes: 0 }, hasMore: false })
        : null;
    worker.broker.storeLost();
    worker.broker.storeReturned();
    await world.clock.pass(500);
    expect((await worker.dial('c')).said()).toEqual(['connack 0x00']);
  });
});

test('the bans of one address among 100,000 others are found as fast as among ten', () => {
  const table = new BanTable();
  for (let n = 0; n < 100_000; n++) table.put(ban({ address: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}` }));
  table.put(ban({ address: '192.0.2.0/24' }));
  const begun = performance.now();
  let found = 0;
  for (let n = 0; n < 100_000; n++) {
    if (table.ofAddress('10.1.2.3:1', start) !== null) found++;
    if (table.ofAddress('198.51.100.1:1', start) !== null) found++;
  }
  expect(found).toBe(100_000);
  // A walk through the list would take minutes.
  expect(performance.now() - begun).toBeLessThan(5000);
});

test.each([
  ['192.0.2.9', '192.0.2.9'],
  ['192.0.2.9/32', '192.0.2.9'],
  ['192.0.2.9/24', '192.0.2.0/24'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['::ffff:192.0.2.9', '192.0.2.9'],
  ['::ffff:192.0.2.9/120', '192.0.2.0/24'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['2001:db8::1/64', '2001:db8::/64'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::/0', '::/0'],
  ['1:0:0:2::/64', '1:0:0:2::/64'],
  ...['', 'x', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.4/33', '1.2.3.4/', '1.2.3.4/08'].map((text) => [
    text,
    null,
  ]),
  ...['1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '::1/129', '12345::', '::g', '1.2.3.4/2/3'].map((text) => [
    text,
    null,
  ]),
] as [string, string | null][])('the range %s is %s', (text, canonical) => {
  expect(canonicalRange(text)).toBe(canonical);
});
