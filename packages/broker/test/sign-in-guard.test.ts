/** Guessing of passwords, and clients that come and go: who is slowed, who is banned, and who is not. */
import { connectPacket } from '@dunlin/testkit';
import { describe, expect, test } from 'vitest';
import type { Authenticator } from '../src/ports/authenticator.ts';
import type { Limits } from '../src/ports/limits.ts';
import type { Client } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

/** Knows every user by the password `right`. */
const passwords: Authenticator = {
  authenticate: ({ userName, password }) =>
    String(password) === 'right'
      ? { kind: 'accept', userName }
      : { kind: 'refuse', reasonCode: 0x86, reason: 'wrong user name or password' },
  exchange: () => null,
};

const here = '192.0.2.7:1883';
const there = '198.51.100.9:1883';

async function worldOf(limits: Partial<Limits> = {}, authenticator = passwords) {
  return World.alone({ authenticator, limits });
}

/** Sends CONNECT and reads nothing yet. */
async function knock(
  worker: Worker,
  address: string,
  clientId: string,
  userName: string,
  password: string,
): Promise<Client> {
  const client = worker.socket();
  client.transport.remoteAddress = address;
  await client.send(connectPacket({ clientId, userName, password }));
  return client;
}

/** The answer to CONNECT, however long it takes. */
async function answer(world: World, ...parameters: Parameters<typeof knock>): Promise<string> {
  const client = await knock(...parameters);
  let said = client.said();
  for (let seconds = 0; said.length === 0 && seconds < 9; seconds++) {
    await world.clock.pass(1000);
    said = client.said();
  }
  return said.join();
}

/** Number of failures that are answered as such before the ban. */
async function untilBanned(fail: () => Promise<string>): Promise<number> {
  for (let failures = 0; failures < 1000; failures++) {
    const said = await fail();
    if (said === banned) return failures;
    expect(said).toBe(wrong);
  }
  return Number.POSITIVE_INFINITY;
}

const wrong = 'connack 0x86';
const right = 'connack 0x00';
const banned = 'connack 0x8a';

describe('a device that fails too often', () => {
  test('is banned for a while, it alone: not its user name, not its address', async () => {
    const { world, worker } = await worldOf();
    const failures = await untilBanned(() => answer(world, worker, here, 'old', 'u', 'x'));
    expect(failures).toBeGreaterThan(20);
    expect(failures).toBeLessThan(25);
    expect(await answer(world, worker, here, 'old', 'u', 'right')).toBe(banned);
    expect(await answer(world, worker, here, 'other', 'u', 'right')).toBe(right);
    expect(await answer(world, worker, here, 'old', 'v', 'right')).toBe(right);
    expect(await answer(world, worker, there, 'old', 'u', 'right')).toBe(right);
    const { bans } = await world.store.bans.changes(null, 10);
    expect(bans).toMatchObject([
      { clientId: 'old', userName: 'u', address: '192.0.2.7', by: 'dunlin', reason: 'too many failed sign-ins' },
    ]);
    expect(worker.log.filter((line) => line.startsWith('a client failed to sign in too often'))).toHaveLength(1);
    await world.clock.pass(300_000);
    expect(await answer(world, worker, here, 'old', 'u', 'right')).toBe(right);
  });

  test('is not, when it fails now and then', async () => {
    const { world, worker } = await worldOf();
    for (let times = 0; times < 40; times++) {
      expect(await answer(world, worker, here, 'c', 'u', 'x')).toBe(wrong);
      await world.clock.pass(16_000);
    }
  });

  test('is not, when it has signed in lately: somebody else may use its names behind the same address', async () => {
    const { world, worker } = await worldOf();
    expect(await answer(world, worker, here, 'c', 'u', 'right')).toBe(right);
    for (let times = 0; times < 60; times++) expect(await answer(world, worker, here, 'c', 'u', 'x')).toBe(wrong);
    expect(await answer(world, worker, here, 'c', 'u', 'right')).toBe(right);
    expect(worker.broker.bans.size).toBe(0);
  });

  test('a limit of 0 bans and slows nobody', async () => {
    const { world, worker } = await worldOf({ signInFailuresMax: 0 });
    for (let times = 0; times < 200; times++)
      expect((await knock(worker, here, 'c', 'u', 'x')).said()).toEqual([wrong]);
    expect(await answer(world, worker, here, 'c', 'u', 'right')).toBe(right);
  });
});

describe('guessing by enhanced authentication, where CONNECT has no user name', () => {
  /** Asks for a proof; `right` is one. */
  const exchanging: Authenticator = {
    authenticate: () => ({ kind: 'refuse', reasonCode: 0x86, reason: 'no' }),
    exchange: () => ({
      claimedName: 'u',
      step: async (data) => {
        if (String(data) === 'u') return { kind: 'continue', data: Buffer.from('prove it') };
        if (String(data) === 'right') return { kind: 'accept', userName: 'u' };
        return { kind: 'refuse', reasonCode: 0x87, reason: 'wrong proof' };
      },
    }),
  };

  async function prove(world: World, worker: Worker, address: string, clientId: string, proof: string) {
    const client = worker.socket(5, address);
    const authenticationMethod = 'known';
    await client.send(
      connectPacket({ clientId, properties: { authenticationMethod, authenticationData: Buffer.from('u') } }),
    );
    const properties = { authenticationMethod, authenticationData: Buffer.from(proof) };
    let said: string[] = [];
    for (let seconds = 0; !said.some((word) => word.startsWith('connack')) && seconds < 20; seconds++) {
      said = client.said();
      if (said[0] === 'auth') await client.send({ type: 'auth', reasonCode: 0x18, properties });
      else if (said.length === 0) await world.clock.pass(1000);
    }
    return said.join();
  }

  test('is slowed and followed by a ban, as by password', async () => {
    const { world, worker } = await worldOf({}, exchanging);
    let failures = 0;
    while (failures < 100 && (await prove(world, worker, here, 'old', 'x')) === 'connack 0x87') failures++;
    expect(failures).toBeGreaterThan(20);
    expect(failures).toBeLessThan(25);
    expect(await prove(world, worker, here, 'old', 'right')).toBe(banned);
    expect(await prove(world, worker, there, 'old', 'right')).toBe(right);
    const { bans } = await world.store.bans.changes(null, 10);
    expect(bans).toMatchObject([{ clientId: 'old', userName: 'u', address: '192.0.2.7' }]);
  });
});

test('a ban that a rule has made ends no connection', async () => {
  const { world, worker } = await worldOf();
  const client = await knock(worker, here, 'c', 'u', 'right');
  expect(client.said()).toEqual([right]);
  const names = { clientId: 'c', userName: 'u', address: '192.0.2.7' };
  await world.store.bans.put({ ...names, reason: '', by: 'dunlin', createdAt: 0, endsAt: Infinity });
  await world.clock.pass(1000);
  await client.send({ type: 'pingreq' });
  expect(client.said()).toEqual(['pingresp']);
});

test('guessing under many identifiers: the user name is banned from that address, and from no other', async () => {
  const { world, worker } = await worldOf();
  // All at once: whoever waits for each answer is slowed so much that it never comes to a ban.
  for (let times = 0; times < 110; times++) await knock(worker, here, `c${times}`, 'u', 'x');
  // The last ones are looked at after five seconds.
  await world.clock.pass(6000);
  expect(await answer(world, worker, here, 'new', 'u', 'right')).toBe(banned);
  expect(await answer(world, worker, here, 'new', 'v', 'right')).toBe(right);
  expect(await answer(world, worker, there, 'owner', 'u', 'right')).toBe(right);
});

test('a fleet behind one address with one user name: devices with an old password are slowed, nobody is shut out', async () => {
  const { world, worker } = await worldOf({ signInFailuresPerAddressMax: 50 });
  expect(await answer(world, worker, here, 'good-0', 'fleet', 'right')).toBe(right);
  for (let round = 0; round < 150; round++)
    expect(await answer(world, worker, here, `random-${round}`, 'fleet', 'old')).toBe(wrong);
  expect(await answer(world, worker, here, 'good-1', 'fleet', 'right')).toBe(right);
  expect(worker.broker.bans.size).toBe(0);
});

test('an address is banned whole only where so configured, when nobody there signs in', async () => {
  const { world, worker } = await worldOf({ signInFailuresPerAddressMax: 50 });
  let user = 0;
  await untilBanned(() => answer(world, worker, '[2001:db8::1]:1', 'c', `u${user++}`, 'x'));
  expect(user).toBeGreaterThan(50);
  expect(await answer(world, worker, '[2001:db8::2]:1', 'c', 'u', 'right')).toBe(banned);
  expect(await answer(world, worker, '[2001:db8:0:1::2]:1', 'c', 'u', 'right')).toBe(right);
});

test('answers to guesses come later and later, up to five seconds', async () => {
  const { world, worker } = await worldOf();
  const clients: Client[] = [];
  for (let times = 0; times < 15; times++) clients.push(await knock(worker, here, `c${times}`, 'u', 'x'));
  const answered = (): number => clients.filter(({ isClosed }) => isClosed).length;
  expect(answered()).toBe(5);
  await world.clock.pass(1000);
  expect(answered()).toBe(6);
  await world.clock.pass(2000);
  expect(answered()).toBe(8);
  await world.clock.pass(2000);
  expect(answered()).toBe(15);
  expect(clients.every((client) => client.said().join() === wrong)).toBe(true);
});

test('an account that is guessed at from everywhere: who is unknown waits, its owner does not, and is never refused', async () => {
  const { world, worker } = await worldOf();
  expect(await answer(world, worker, there, 'owner', 'u', 'right')).toBe(right);
  for (let times = 0; times < 110; times++) await knock(worker, `203.0.113.${times}:1`, 'c', 'u', 'x');
  const unknown = await knock(worker, '203.0.114.1:1', 'holiday', 'u', 'right');
  expect(unknown.said()).toEqual([]);
  expect((await knock(worker, there, 'owner', 'u', 'right')).said()).toEqual([right]);
  await world.clock.pass(5000);
  expect(unknown.said()).toEqual([right]);
});

describe('a client that comes and goes', () => {
  test('is banned with its address for a while, where so configured', async () => {
    const { world, worker } = await worldOf({ flappingConnectsMax: 15 });
    for (let times = 0; times < 15; times++) expect(await answer(world, worker, here, 'c', 'u', 'right')).toBe(right);
    expect(await answer(world, worker, here, 'c', 'u', 'right')).toBe(banned);
    expect(await answer(world, worker, there, 'c', 'u', 'right')).toBe(right);
    expect(await answer(world, worker, here, 'd', 'u', 'right')).toBe(right);
    await world.clock.pass(300_000);
    expect(await answer(world, worker, here, 'c', 'u', 'right')).toBe(right);
  });

  test('is served, by default', async () => {
    const { world, worker } = await worldOf();
    for (let times = 0; times < 100; times++) expect(await answer(world, worker, here, `c`, 'u', 'right')).toBe(right);
  });
});
