/** Two clients with one identifier, each of which comes back at once when the other has taken it over. */
import { describe, expect, test } from 'vitest';
import { type Client, connect } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

/** A CONNECT from this address, answered or not. */
async function dial(worker: Worker, clientId: string, address: string, expiry = 0): Promise<Client> {
  const client = worker.socket();
  client.transport.remoteAddress = address;
  await client.send(connect(clientId, { expiry }));
  return client;
}

describe.each([
  ['on one worker', 0],
  ['between workers', 1],
] as const)('%s', (_where, second) => {
  test.each([0, 100])(
    'ten times are borne, then it is said once a minute who fights, and each waits (expiry %i)',
    async (expiry) => {
      const { world, workers } = await World.of(2);
      const places = [workers[0], workers[second]];
      const said = (): string[] =>
        workers.flatMap(({ log }) => log.filter((line) => line.includes('taken over again')));
      // Of one worker every takeover is counted there, of two each its own.
      const borne = second === 0 ? 10 : 20;
      for (let times = 0; times <= borne; times++) {
        const client = await dial(places[times % 2], 'c', `192.0.2.${times % 2}:1`, expiry);
        expect(client.said()[0]).toMatch(/^connack 0x00/);
      }
      expect(said()).toEqual([]);
      const before = await dial(places[1], 'c', '192.0.2.1:1', expiry);
      before.received();
      expect(said()).toHaveLength(1);
      expect(said()[0]).toContain('"client":"c"');
      expect(said()[0]).toContain('"address":"192.0.2.1:1","formerAddress":"192.0.2.0:1"');
      // Now the next one waits a moment, and the one that is there is served meanwhile.
      const waits = await dial(places[1], 'c', '192.0.2.2:1', expiry);
      expect(waits.said()).toEqual([]);
      expect(before.isClosed).toBe(false);
      await world.clock.pass(1000);
      expect(waits.said()[0]).toMatch(/^connack 0x00/);
      expect(before.said()).toEqual(['disconnect 0x8e']);
      for (let times = 0; times < 20; times++) {
        const next = await dial(places[1], 'c', '192.0.2.3:1', expiry);
        await world.clock.pass(1100);
        expect(next.said()[0]).toMatch(/^connack 0x00/);
      }
      expect(said()).toHaveLength(1);
      expect(workers.reduce((sum, { broker }) => sum + broker.metrics.contestedTakeovers, 0)).toBeGreaterThan(20);
    },
  );
});

test('others do not wait, nor the same one when it has been quiet', async () => {
  const { world, worker } = await World.alone();
  for (let times = 0; times < 12; times++) await dial(worker, 'c', '192.0.2.1:1');
  expect((await dial(worker, 'c', '192.0.2.1:1')).said()).toEqual([]);
  expect((await dial(worker, 'other', '192.0.2.1:1')).said()).toEqual(['connack 0x00']);
  await world.clock.pass(600_000);
  expect((await dial(worker, 'c', '192.0.2.1:1')).said()).toEqual(['connack 0x00']);
});

test('a client that comes back after its connection ended contests nothing', async () => {
  const { worker } = await World.alone();
  for (let times = 0; times < 30; times++) {
    const client = await dial(worker, 'c', '192.0.2.1:1', 100);
    expect(client.said()[0]).toMatch(/^connack 0x00/);
    await client.drop();
  }
  expect(worker.log.filter((line) => !line.startsWith('client '))).toEqual([]);
});

test('whoever leaves while it waits does not take the identifier', async () => {
  const { world, worker } = await World.alone();
  for (let times = 0; times < 11; times++) await dial(worker, 'c', '192.0.2.1:1');
  const holder = await dial(worker, 'c', '192.0.2.1:1');
  await world.clock.pass(200);
  const gone = await dial(worker, 'c', '192.0.2.2:1');
  await gone.drop();
  await world.clock.pass(2000);
  expect(holder.isClosed).toBe(false);
});
