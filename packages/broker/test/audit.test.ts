/** Records of the audit log that the broker makes. */
import { expect, test } from 'vitest';
import type { Audit } from '../src/ports/audit.ts';
import type { Authenticator } from '../src/ports/authenticator.ts';
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
        ? { kind: 'accept', userName, ...(expiresAt === undefined ? {} : { expiresAt }) }
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
