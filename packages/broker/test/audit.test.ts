/** Records of the audit log that the broker makes. */
import { describe, expect, test } from 'vitest';
import type { Audit } from '../src/ports/audit.ts';
import type { Authenticator } from '../src/ports/authenticator.ts';
import type { Ban } from '../src/ports/ban-store.ts';
import { World } from './support/world.ts';

/** Audit log that a test reads. */
class Records implements Audit {
  readonly all: Record<string, unknown>[] = [];

  record(event: { name: string }, fields: Record<string, unknown>): void {
    this.all.push({ event: event.name, ...fields });
  }

  get names(): unknown[] {
    return this.all.map(({ event }) => event);
  }
}

/** Everybody with the password `right`, until the moment `expiresAt`. */
function passwords(expiresAt?: number): Authenticator {
  return {
    authenticate: ({ userName, password }) =>
      password?.toString() === 'right'
        ? { kind: 'accept', userName, method: 'password-file', ...(expiresAt === undefined ? {} : { expiresAt }) }
        : {
            kind: 'refuse',
            reasonCode: 0x87,
            reason: 'not authorized',
            told: { user: userName ?? '', method: 'password-file', reason: 'wrong password' },
          },
    exchange: () => null,
  };
}

const ann = { userName: 'ann', password: Buffer.from('right') };

test('a sign-in and a refusal are recorded, by whom and from where, and no password', async () => {
  const audit = new Records();
  const { worker } = await World.alone({ authenticator: passwords(), audit });
  await worker.connect('gauge', ann);
  await worker.dial('thief', { userName: 'ann', password: Buffer.from('wrong-secret') });
  expect(audit.all).toEqual([
    {
      event: 'sign-in.accepted',
      client: 'gauge',
      user: 'ann',
      address: expect.any(String),
      listener: expect.any(String),
      version: '5.0',
      method: 'password-file',
    },
    {
      event: 'sign-in.refused',
      client: 'thief',
      user: '',
      claimedUser: 'ann',
      address: expect.any(String),
      listener: expect.any(String),
      code: '0x87',
      method: 'password-file',
      reason: 'wrong password',
    },
  ]);
  expect(JSON.stringify(audit.all)).not.toMatch(/wrong-secret/);
});

test('a takeover on the same worker and on another one names where the session was', async () => {
  const audit = new Records();
  const { world, workers } = await World.of(2, { audit });
  const [one, two] = workers;
  await one.connect('c');
  await one.connect('c');
  await two.connect('c');
  await world.clock.settle();
  const takeovers = audit.all.filter(({ event }) => event === 'session.taken-over');
  expect(takeovers.map(({ client, fromEndpoint }) => [client, fromEndpoint])).toEqual([
    ['c', one.broker.self],
    ['c', one.broker.self],
  ]);
});

test('the end of what a client signed in with is recorded', async () => {
  const audit = new Records();
  const { world, worker } = await World.alone({ authenticator: passwords(1_700_000_010_000), audit });
  await worker.connect('c', ann);
  await world.clock.pass(12_000);
  expect(audit.names).toEqual(['sign-in.accepted', 'sign-in.withdrawn']);
  expect(audit.all[1]).toMatchObject({ client: 'c', user: 'ann', reason: expect.stringMatching(/expired/) });
});

test('who signs in without credentials is recorded as anonymous', async () => {
  const audit = new Records();
  const { worker } = await World.alone({ audit });
  await worker.connect('c');
  expect(audit.all).toMatchObject([{ event: 'sign-in.accepted', user: '', method: 'anonymous' }]);
});

test('a ban that a rule makes is recorded by the worker that made it, and not again by those that read it', async () => {
  const audit = new Records();
  const limits = { signInFailuresMax: 2 };
  const { world, workers } = await World.of(2, { authenticator: passwords(), audit, recordsBans: true, limits });
  for (let times = 0; times < 3; times++) {
    await workers[1].dial('thief', { userName: 'ann', password: Buffer.from('wrong') });
    await world.clock.pass(5000);
  }
  expect(workers.map(({ broker }) => broker.bans.size)).toEqual([1, 1]);
  expect(audit.all.filter(({ event }) => event === 'ban.added')).toEqual([
    {
      event: 'ban.added',
      client: 'thief',
      user: 'ann',
      address: '192.0.2.1',
      reason: 'too many failed sign-ins',
      by: 'dunlin',
      endsAt: expect.stringMatching(/^2023-.*Z$/),
    },
  ]);
});

describe('bans that a command writes into the store', () => {
  const ban = (clientId: string, createdAt: number): Ban => ({
    ...{ clientId, userName: null, address: null, reason: 'stolen', by: 'ann', createdAt },
    endsAt: Number.POSITIVE_INFINITY,
  });
  const record = { user: null, address: null };
  const added = (client: string) => ({
    event: 'ban.added',
    client,
    ...record,
    reason: 'stolen',
    by: 'ann',
    endsAt: null,
  });

  test('are recorded once in the cluster, and so is their removal', async () => {
    const audit = new Records();
    const { world } = await World.of(3, { audit, recordsBans: true });
    const { bans } = world.store;
    await bans.put(ban('one', world.clock.now()));
    await bans.put(ban('two', world.clock.now()));
    await world.clock.pass(1000);
    expect(audit.all).toEqual([added('one'), added('two')]);
    await bans.remove({ clientId: 'one', userName: null, address: null });
    await bans.put(ban('two', world.clock.now()));
    await world.clock.pass(1000);
    expect(audit.all.slice(2)).toEqual([added('two'), { event: 'ban.removed', client: 'one', ...record }]);
  });

  test('are recorded by whoever was asked where the store is embedded; what was there at the start is nothing new', async () => {
    const audit = new Records();
    const { world } = await World.of(2, { audit });
    await world.store.bans.put(ban('one', world.clock.now()));
    await world.clock.pass(1000);
    const later = await world.add({ audit, recordsBans: true });
    await world.clock.pass(1000);
    expect(later.broker.bans.size).toBe(1);
    expect(audit.all).toEqual([]);
  });
});
