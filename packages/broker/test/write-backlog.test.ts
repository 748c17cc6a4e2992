/** Clients that publish faster than the store takes it are not read meanwhile: it waits in their sockets (message/write-backlog.ts). */
import { expect, test } from 'vitest';
import { publish } from './support/client.ts';
import { World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;
const megabyte = 'x'.repeat(1_000_000);
const range = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Seen to fail with no WriteBacklog in RetainedMessages: QoS 0 has no acknowledgement whose number would be bounded. */
test('a client whose retained messages of QoS 0 wait for the store is not read; all of them are stored, and others go on', async () => {
  const { world, worker } = await World.alone();
  const publisher = await worker.connect('p');
  const other = await worker.connect('o');
  worker.gate.block('retained.set');
  const retained = (index: number) => publish(`r/${index}`, 'kept', 0, 0, { retain: true });
  await publisher.send(...range(1000).map(retained));
  expect(publisher.transport.paused).toBe(false);
  await publisher.send(retained(1000));
  expect(publisher.transport.paused).toBe(true);
  await other.send(publish('t', 'x', 1, 1));
  expect(other.said()).toEqual(['puback #1 0x10']);
  expect(other.transport.paused).toBe(false);
  worker.gate.open('retained.set');
  await world.clock.settle();
  expect(publisher.transport.paused).toBe(false);
  expect(await world.store.retained.count()).toBe(1001);
});

test.each([0, 1] as const)('large retained messages of QoS %i are counted in bytes', async (qos) => {
  const { world, worker } = await World.alone();
  const publisher = await worker.connect('p');
  worker.gate.block('retained.set');
  const retained = (index: number) => publish(`r/${index}`, megabyte, qos, qos * (index + 1), { retain: true });
  await publisher.send(...range(8).map(retained));
  expect(publisher.transport.paused).toBe(false);
  await publisher.send(retained(8));
  expect(publisher.transport.paused).toBe(true);
  worker.gate.open('retained.set');
  await world.clock.settle();
  expect(publisher.transport.paused).toBe(false);
  expect(publisher.said().length).toBe(qos * 9);
});

/** Seen to fail with no WriteBacklog in AppendQueue. */
test('large messages on their way into logs are counted in bytes, long before their number is too high', async () => {
  const { world, worker } = await World.alone();
  const away = await worker.connect('away', durable);
  await away.subscribe('t', 1);
  await away.drop();
  const publisher = await worker.connect('p');
  worker.gate.block('logs.append');
  const message = (index: number) => publish('t', megabyte, 1, index + 1);
  await publisher.send(...range(16).map(message));
  expect(publisher.transport.paused).toBe(false);
  await publisher.send(message(16));
  expect(publisher.transport.paused).toBe(true);
  worker.gate.open('logs.append');
  await world.clock.settle();
  expect(publisher.transport.paused).toBe(false);
  expect(publisher.said()).toEqual(range(17).map((index) => `puback #${index + 1}`));
});
