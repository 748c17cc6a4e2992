/** `$events/client/…`: what happens to clients, as messages. */
import { expect, test } from 'vitest';
import { eventsPerSecondMax } from '../src/connection/client-events.ts';
import { type Client, publish } from './support/client.ts';
import { World } from './support/world.ts';

/** Events that have come, with their topics. */
function told(client: Client): { on: string; [field: string]: unknown }[] {
  return client
    .received()
    .filter((packet) => packet.type === 'publish')
    .map(({ topic, payload }) => ({ on: topic, ...JSON.parse(payload.toString()) }));
}

async function watcherAt(worker: { connect(clientId: string): Promise<Client> }, filter: string): Promise<Client> {
  const watcher = await worker.connect('watcher');
  watcher.transport.remoteAddress = '127.0.0.1:1883';
  await watcher.subscribe(filter, 0);
  watcher.received();
  return watcher;
}

test('connects, subscriptions and disconnects of another node are told', async () => {
  const { workers } = await World.of(2);
  const [a, b] = workers;
  const watcher = await watcherAt(a, '$events/client/+');
  told(watcher);
  const pump = await b.connect('pump');
  expect(told(watcher)).toMatchObject([
    { on: '$events/client/connected', event: 'connected', client: 'pump', listener: 'test', cleanStart: true },
  ]);
  await pump.subscribe('orders/+', 1);
  expect(told(watcher)).toMatchObject([
    { on: '$events/client/subscribed', client: 'pump', subscriptions: [{ filter: 'orders/+', qos: 1 }] },
  ]);
  await pump.drop();
  expect(told(watcher)).toMatchObject([
    { on: '$events/client/disconnected', client: 'pump', reason: 'connection-lost', code: 0 },
  ]);
});

test('refusals are told, with the reason', async () => {
  const { worker } = await World.alone();
  const watcher = await watcherAt(worker, '$events/client/refused');
  const pump = await worker.connect('pump');
  await pump.send(publish('$events/client/connected', 'forged', 1, 1));
  expect(told(watcher)).toMatchObject([
    {
      on: '$events/client/refused',
      what: 'publish.refused',
      client: 'pump',
      topic: '$events/client/connected',
    },
  ]);
});

test('without rules, only a client on the machine of the node may read events', async () => {
  const { worker } = await World.alone();
  const stranger = await worker.connect('stranger');
  expect(await stranger.subscribe('$events/#', 0)).toEqual([0x87]);
  expect(await stranger.subscribe('$share/g/$events/client/+', 0)).toEqual([0x87]);
});

test('a wildcard that does not name them gets no events', async () => {
  const { worker } = await World.alone();
  const reader = await watcherAt(worker, '#');
  await worker.connect('pump');
  expect(told(reader)).toEqual([]);
});

test('more events than fit a second are left out, and the next one says how many', async () => {
  const { world, worker } = await World.alone();
  const watcher = await watcherAt(worker, '$events/client/connected');
  const many = 10;
  for (let number = 0; number < eventsPerSecondMax + many; number++) await worker.connect(`pump-${number}`);
  expect(told(watcher)).toHaveLength(eventsPerSecondMax);
  await world.clock.pass(1000);
  await worker.connect('last');
  expect(told(watcher)).toMatchObject([{ client: 'last', eventsLeftOut: many }]);
});
