/** Many CONNECT packets in one turn of the event loop: they are taken up a few in a turn, and connected clients are heard in between. */
import { describe, expect, test } from 'vitest';
import { type Client, connect, publish } from './support/client.ts';
import { World } from './support/world.ts';

const welcomed = (clients: Client[]): number => clients.filter((client) => client.transport.chunks.length > 0).length;

/** Clients of one address that have all sent CONNECT. */
async function storm(count: number, address?: string) {
  const { world, worker } = await World.alone();
  const healthy = await worker.connect('healthy');
  const clients = Array.from({ length: count }, () => worker.socket(5, address));
  for (const [i, client] of clients.entries()) client.put(connect(`c${i}`));
  return { world, worker, healthy, clients };
}

describe('a storm of CONNECT', () => {
  test('is taken up a few in a turn, and all of it in the end', async () => {
    const { world, clients } = await storm(200);
    await world.clock.turnOnce();
    expect(welcomed(clients)).toBeGreaterThan(0);
    expect(welcomed(clients)).toBeLessThan(100);
    await world.clock.settle();
    expect(clients.map((client) => client.said())).toEqual(Array(200).fill(['connack 0x00']));
  });

  test('lets a connected client publish, and one from elsewhere in, before its end', async () => {
    const { world, worker, healthy, clients } = await storm(1000);
    healthy.put(publish('t', 'x', 1, 1));
    const other = worker.socket(5, '198.51.100.7:1883');
    other.put(connect('other'));
    for (let turn = 0; turn < 3; turn++) await world.clock.turnOnce();
    expect([healthy.said(), other.said()]).toEqual([['puback #1 0x10'], ['connack 0x00']]);
    expect(welcomed(clients)).toBeLessThan(200);
  });

  test('packets behind a CONNECT that waits take effect in their order', async () => {
    const { world, worker } = await storm(200);
    const eager = worker.socket();
    eager.put(connect('eager'), publish('t', 'x', 1, 1), publish('t', 'y', 1, 2));
    await world.clock.settle();
    expect(eager.said()).toEqual(['connack 0x00', 'puback #1 0x10', 'puback #2 0x10']);
  });

  test('who leaves meanwhile is not let in, and takes no turn', async () => {
    const { world, worker, clients } = await storm(200);
    const waiting = worker.broker.newcomers.waiting;
    for (const client of clients) client.connection.closed();
    expect([waiting > 100, worker.broker.newcomers.waiting]).toEqual([true, 0]);
    await world.clock.settle();
    expect(worker.broker.connectionCount).toBe(1);
    expect(worker.broker.metrics.authenticationsAccepted).toBeLessThan(100);
    expect(worker.broker.unsigned.count).toBe(0);
  });

  test('those that wait count as clients before CONNACK', async () => {
    const { worker } = await storm(200);
    expect(worker.broker.unsigned.count).toBeGreaterThan(100);
  });

  test('an unknown authentication method is refused as ever', async () => {
    const { world, worker } = await storm(200);
    const client = worker.socket();
    client.put(connect('c', { properties: { authenticationMethod: 'none' } }));
    await world.clock.settle();
    expect(client.said()).toEqual(['connack 0x8c']);
  });
});
