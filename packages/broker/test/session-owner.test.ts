import { describe, expect, test } from 'vitest';
import type { Authenticator } from '../src/ports/authenticator.ts';
import type { Authorizer } from '../src/ports/authorizer.ts';
import { type Client, connect, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

/** The user name is proved. */
const authenticator: Authenticator = {
  authenticate: ({ userName }) => ({ kind: 'accept', userName }),
  exchange: () => null,
};

/** Each user has the topics that begin with its initial: alice `a/`, bob `b/`; the operator has all. */
const authorizer: Authorizer = {
  authorize: ({ userName }, _action, topic) => userName === 'operator' || topic.startsWith(`${userName?.[0]}/`),
};

const guarded = { authenticator, authorizer, sessionOwner: 'user' } as const;
const alice = { userName: 'alice', cleanStart: false, expiry: 3600 };
const bob = { userName: 'bob', cleanStart: false, expiry: 3600 };

function publishes(client: Client): string[] {
  return client.said().filter((packet) => packet.startsWith('publish'));
}

/** A durable session of alice with three messages in flight. */
async function aliceIsConnected(worker: Worker): Promise<Client> {
  const operator = await worker.connect('operator', { userName: 'operator' });
  const client = await worker.connect('gauge-1', alice);
  await client.subscribe('a/#', 1);
  for (let i = 1; i <= 3; i++) await operator.send(publish(`a/${i}`, 'hers', 1, i));
  expect(publishes(client)).toHaveLength(3);
  return client;
}

describe('a session of one user', () => {
  test.each([true, false])('is refused to another, who gets nothing of it (clean start %s)', async (cleanStart) => {
    const { worker } = await World.alone(guarded);
    await (await aliceIsConnected(worker)).drop();
    const stranger = await worker.dial('gauge-1', { ...bob, cleanStart });
    expect(stranger.said()).toEqual(['connack 0x87']);
    expect(stranger.isClosed).toBe(true);
    const again = await worker.dial('gauge-1', alice);
    expect(publishes(again)).toHaveLength(3);
  });

  test('is refused with code 5 to MQTT 3', async () => {
    const { worker } = await World.alone(guarded);
    await (await aliceIsConnected(worker)).drop();
    const stranger = await worker.dial('gauge-1', { version: 4, userName: 'bob', cleanStart: false });
    expect(stranger.said()).toEqual(['connack 0x05']);
  });

  test('is not interrupted by another', async () => {
    const { worker } = await World.alone(guarded);
    const client = await aliceIsConnected(worker);
    const stranger = await worker.dial('gauge-1', bob);
    expect(stranger.said()).toEqual(['connack 0x87']);
    await client.send({ type: 'pingreq' });
    expect(client.said()).toEqual(['pingresp']);
  });

  test.each([0, 3600])('is not interrupted by another at another worker (session expiry %s)', async (expiry) => {
    const { workers } = await World.of(2, guarded);
    const client = await workers[0].connect('gauge-1', { userName: 'alice', expiry });
    const stranger = await workers[1].dial('gauge-1', { userName: 'bob', expiry });
    expect(stranger.said()).toEqual(['connack 0x87']);
    await client.send({ type: 'pingreq' });
    expect(client.said()).toEqual(['pingresp']);
    await client.drop();
    const next = await workers[1].dial('gauge-1', { userName: 'bob', expiry });
    expect(next.said()).toEqual([expiry === 0 ? 'connack 0x00' : 'connack 0x87']);
  });

  test('is not interrupted by another while the store cannot be asked', async () => {
    const { world, workers } = await World.of(2, guarded);
    for (const worker of workers) worker.gate.refused = 'all';
    const client = await workers[0].connect('gauge-1', { userName: 'alice' });
    const stranger = await workers[1].dial('gauge-1', { userName: 'bob' });
    expect(stranger.said()).toEqual(['connack 0x87']);
    const again = await workers[1].dial('gauge-1', { userName: 'alice' });
    expect(again.said()).toEqual(['connack 0x00']);
    expect(client.said()).toEqual(['disconnect 0x8e']);
    await world.clock.settle();
  });

  test('is given to its user under way to it, not to another: the first claim wins', async () => {
    const { workers } = await World.of(2, guarded);
    const sockets = workers.map((worker) => worker.socket());
    sockets[0].put(connect('gauge-1', alice));
    sockets[1].put(connect('gauge-1', bob));
    await sockets[0].send();
    expect(sockets.map((socket) => socket.said().join())).toEqual(['connack 0x00', 'connack 0x87']);
  });

  test('ends with it: nobody owns the identifier then', async () => {
    const { world, worker } = await World.alone(guarded);
    await (await aliceIsConnected(worker)).drop();
    await world.clock.pass(3_601_000);
    const stranger = await worker.dial('gauge-1', bob);
    expect(stranger.said()).toEqual(['connack 0x00']);
  });

  test('stored by an earlier release belongs to the first who proves a name', async () => {
    const { world, worker } = await World.alone(guarded);
    const request = { clientId: 'gauge-1', owner: 'older#1', cleanStart: false, sessionExpirySeconds: 3600 };
    const { epoch } = await world.store.sessions.claim(request, world.clock.now());
    await world.store.sessions.release({ clientId: 'gauge-1', epoch }, {}, world.clock.now());
    expect((await worker.dial('gauge-1', alice)).said()).toEqual(['connack 0x00 present']);
    expect((await worker.dial('gauge-1', bob)).said()).toEqual(['connack 0x87']);
  });

  test('without a user name belongs to nobody, and one with a user name is not open to clients without', async () => {
    const { worker } = await World.alone(guarded);
    const nameless = await worker.connect('gauge-1', { cleanStart: false, expiry: 3600 });
    expect((await worker.dial('gauge-1', alice)).said()).toEqual(['connack 0x00 present']);
    expect(nameless.said()).toEqual(['disconnect 0x8e']);
    expect((await worker.dial('gauge-1', { cleanStart: false, expiry: 3600 })).said()).toEqual(['connack 0x87']);
  });

  test('is open to everybody where that is configured, and belongs to the last', async () => {
    const world = new World();
    await world.store.open();
    const open = await world.add({ ...guarded, sessionOwner: 'anybody' });
    const client = await open.connect('gauge-1', alice);
    expect((await open.dial('gauge-1', bob)).said()).toEqual(['connack 0x00 present']);
    expect(client.said()).toEqual(['disconnect 0x8e']);
    const strict = await world.add(guarded);
    expect((await strict.dial('gauge-1', alice)).said()).toEqual(['connack 0x87']);
    expect((await strict.dial('gauge-1', bob)).said()).toEqual(['connack 0x00 present']);
  });
});
