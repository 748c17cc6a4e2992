/** Packets of one connection take effect in the order in which they came, and the end of its stream is the last of them. */
import type { Packet } from '@dunlin/protocol';
import { expect, test } from 'vitest';
import type { Authorizer } from '../src/ports/authorizer.ts';
import type { StoreMethod } from '../src/ports/store-methods.ts';
import { type Client, connect, publish, subscribe } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;
const ping: Packet = { type: 'pingreq' };
const goodbye: Packet = { type: 'disconnect', reasonCode: 0, properties: {} };
const will = { topic: 'w', payload: Buffer.from('gone'), qos: 0 as const, retain: false, properties: {} };

function unsubscribe(packetId: number, ...filters: string[]): Packet {
  return { type: 'unsubscribe', packetId, filters, properties: {} };
}

/** Subscribes to `filter` and returns a look at what has come. */
async function watch(worker: Worker, filter: string): Promise<Client> {
  const watcher = await worker.connect('watcher');
  await watcher.subscribe(filter, 0);
  return watcher;
}

/** Rules that take their time for publishes. */
class SlowAuthorizer implements Authorizer {
  private readonly waiting: ((allowed: boolean) => void)[] = [];

  authorize(_client: unknown, action: string): boolean | Promise<boolean> {
    if (action !== 'publish') return true;
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  answer(): void {
    for (const resolve of this.waiting.splice(0)) resolve(true);
  }
}

test.each([{}, durable])(
  'SUBSCRIBE, PUBLISH and PINGREQ at once: SUBACK first, the own message comes (%j)',
  async (session) => {
    const { workers } = await World.of(2);
    const client = await workers[0].connect('c', session);
    await client.send(subscribe('t', 1), publish('t', 'own', 0), ping);
    expect(client.said()).toEqual(['suback 0x01', 'publish t own q0', 'pingresp']);
  },
);

test('UNSUBSCRIBE, PUBLISH and PINGREQ at once: the own message does not come', async () => {
  const { worker } = await World.alone();
  const client = await worker.connect('c', durable);
  await client.subscribe('t', 1);
  worker.gate.block('sessions.unsubscribe');
  await client.send(unsubscribe(2, 't'), publish('t', 'own'), ping);
  expect(client.said()).toEqual([]);
  worker.gate.open('sessions.unsubscribe');
  await client.send();
  expect(client.said()).toEqual(['unsuback 0x00', 'pingresp']);
});

test('what waits behind SUBSCRIBE is bounded: then the socket is not read', async () => {
  const { worker } = await World.alone();
  const client = await worker.connect('c', durable);
  worker.gate.block('sessions.subscribe');
  await client.send(subscribe('t', 1), publish('t', 'x'.repeat(60_000)));
  expect(client.transport.paused).toBe(false);
  await client.send(publish('t', 'x'.repeat(10_000)));
  expect(client.transport.paused).toBe(true);
  worker.gate.open('sessions.subscribe');
  await client.send();
  expect(client.transport.paused).toBe(false);
  expect(client.received().map(({ type }) => type)).toEqual(['suback', 'publish', 'publish']);
});

test('a thousand SUBSCRIBE packets that are there travel together, each is answered in its turn', async () => {
  const { worker } = await World.alone();
  const client = await worker.connect('c', durable);
  const packetIds = Array.from({ length: 1000 }, (_, i) => i + 1);
  const calls = (name: StoreMethod): number => worker.gate.calls.filter((call) => call === name).length;
  await client.send(...packetIds.map((packetId) => ({ ...subscribe(`t/${packetId}`, 1), packetId }) as Packet));
  const subacks = client.received().map((packet) => packet.type === 'suback' && packet.packetId);
  expect(subacks).toEqual(packetIds);
  expect(calls('sessions.subscribe')).toBeLessThan(20);
  await client.send(...packetIds.map((packetId) => unsubscribe(packetId, `t/${packetId}`)));
  const unsubacks = client.received().map((packet) => packet.type === 'unsuback' && packet.packetId);
  expect(unsubacks).toEqual(packetIds);
  expect(calls('sessions.unsubscribe')).toBeLessThan(20);
  expect(worker.view.session('c')?.filters.length).toBe(0);
});

test('a SUBSCRIBE against the rules among others: those before it are in force and answered', async () => {
  const { worker } = await World.alone();
  const client = await worker.connect('c', durable);
  await client.send(
    subscribe('a', 1),
    subscribe('b', 1),
    subscribe('$share/g/c', 1, { noLocal: true }),
    subscribe('d', 1),
  );
  expect(client.said()).toEqual(['suback 0x01', 'suback 0x01', 'disconnect 0x82']);
  await worker.connect('c', durable);
  expect(worker.view.session('c')?.filters).toEqual(['a', 'b']);
});

test('DISCONNECT and the end of the stream wait for what stands before them', async () => {
  const authorizer = new SlowAuthorizer();
  const { world, worker } = await World.alone({ authorizer });
  const watcher = await watch(worker, '#');
  const client = await worker.connect('c');
  await client.send(publish('t', 'one'), publish('t', 'two'), goodbye);
  client.connection.transportClosed();
  await world.clock.pass(5000);
  expect(client.isClosed).toBe(false);
  authorizer.answer();
  await client.send();
  authorizer.answer();
  await client.send();
  expect(watcher.said()).toEqual(['publish t one q0', 'publish t two q0']);
  expect(client.isClosed).toBe(true);
  expect(worker.broker.connectionCount).toBe(1);
});

test('the will of a client that closed comes behind what it sent', async () => {
  const authorizer = new SlowAuthorizer();
  const { world, worker } = await World.alone({ authorizer });
  const watcher = await watch(worker, '#');
  const dialling = worker.dial('c', { will });
  await world.clock.settle();
  authorizer.answer(); // the will
  const client = await dialling;
  client.received();
  client.put(publish('t', 'one'));
  client.connection.transportClosed();
  await world.clock.settle();
  authorizer.answer();
  await world.clock.settle();
  authorizer.answer(); // the will again, when it is published
  await world.clock.settle();
  expect(watcher.said()).toEqual(['publish t one q0', 'publish w gone q0']);
  expect(worker.broker.connectionCount).toBe(1);
});

test('the end of a stream with nothing before it: closed at once, the will is published', async () => {
  const { world, worker } = await World.alone();
  const watcher = await watch(worker, 'w');
  const client = await worker.connect('c', { ...durable, will });
  client.connection.transportClosed();
  expect(worker.broker.connectionCount).toBe(1);
  await world.clock.settle();
  expect(watcher.said()).toEqual(['publish w gone q0']);
  worker.socket().connection.transportClosed();
  expect(worker.broker.connectionCount).toBe(1);
});

test.each(['goodbye', 'end'])('what still waits 30 s after the %s is given up, counted and logged', async (last) => {
  const { world, worker } = await World.alone({ authorizer: new SlowAuthorizer() });
  const client = await worker.connect('c');
  await client.send(publish('t', 'one'), publish('t', 'two'), publish('t', 'three'));
  if (last === 'end') client.connection.transportClosed();
  else await client.send(goodbye);
  await world.clock.pass(29_000);
  expect(worker.broker.connectionCount).toBe(1);
  await world.clock.pass(2000);
  expect(worker.broker.connectionCount).toBe(0);
  expect(worker.broker.metrics.packetsGivenUp).toBe(last === 'end' ? 3 : 4);
  expect(worker.log.filter((line) => line.startsWith('packets of a client were given up'))).toHaveLength(1);
});

test('before CONNACK they wait as long as CONNECT may take, behind it as long again as any', async () => {
  const { world, worker } = await World.alone({
    limits: { connectTimeoutSeconds: 5 },
    authorizer: new SlowAuthorizer(),
  });
  const say = (clientId: string): void => {
    const client = worker.socket();
    client.put(connect(clientId), publish('t', 'one'), publish('t', 'two'), goodbye);
    client.connection.transportClosed();
  };
  worker.gate.block('sessions.claim');
  say('never');
  await world.clock.pass(4000);
  expect(worker.broker.connectionCount).toBe(1);
  await world.clock.pass(2000);
  expect(worker.broker.connectionCount).toBe(0);
  expect(worker.broker.metrics.packetsGivenUp).toBe(3);
  worker.gate.open('sessions.claim');
  await world.clock.settle();
  expect(worker.view.sessions).toBe(0);
  say('late');
  await world.clock.pass(29_000);
  expect(worker.broker.connectionCount).toBe(1);
  await world.clock.pass(2000);
  expect(worker.broker.connectionCount).toBe(0);
  expect(worker.broker.metrics.packetsGivenUp).toBe(6);
});

test('a client that is not read is not silent: keep alive and half packets count from when it is read again', async () => {
  const { world, worker } = await World.alone({ limits: { receiveMaximum: 10, partialPacketTimeoutSeconds: 2 } });
  const durableClient = await worker.connect('d', durable);
  await durableClient.subscribe('t', 1);
  const client = await worker.connect('c', { version: 4, keepAliveSeconds: 3 });
  worker.gate.block('logs.append');
  for (let packetId = 1; packetId <= 20; packetId++) client.put(publish('t', 'x', 1, packetId));
  client.connection.receive(Buffer.from([0x30, 100])); // half a packet, the rest of which we do not read
  expect(client.transport.paused).toBe(true);
  await world.clock.pass(60_000);
  expect(client.isClosed).toBe(false);
  worker.gate.open('logs.append');
  await world.clock.settle();
  expect(client.transport.paused).toBe(false);
  expect(client.received()).toHaveLength(20);
  await client.sendBytes(Buffer.concat([Buffer.from([0, 1, 0x74]), Buffer.alloc(97)]));
  await world.clock.pass(4000);
  expect(client.isClosed).toBe(false);
  await world.clock.pass(3000); // silent now
  expect(client.isClosed).toBe(true);
});

test('a client that does not read what it is sent is judged by what it sends, although it is not read', async () => {
  const { world, worker } = await World.alone({ limits: { outputBufferBytesMax: 1000 } });
  const client = await worker.connect('c', { version: 4, keepAliveSeconds: 3 });
  client.transport.reads = false;
  for (let i = 0; i < 4000 && !client.transport.paused; i++) await client.send(ping);
  expect(client.transport.paused).toBe(true);
  await world.clock.pass(7000);
  expect(client.isClosed).toBe(true);
});

test('new rules that are looked at meanwhile let nothing pass that waits', async () => {
  const authorizer = new SlowAuthorizer();
  const { world, worker } = await World.alone({ authorizer });
  const client = await worker.connect('c', durable);
  await client.subscribe('#', 0);
  await client.send(publish('t', 'one'), ping);
  worker.broker.rulesChanged();
  await world.clock.settle();
  expect(client.said()).toEqual([]);
  authorizer.answer();
  await world.clock.settle();
  expect(client.said()).toEqual(['publish t one q0', 'pingresp']);
});

test('what was in flight is sent again before what the client sent behind CONNECT takes effect, also where its subscriptions are looked at', async () => {
  const authorizer = new SlowAuthorizer();
  const { worker } = await World.alone({ authorizer });
  let client = await worker.connect('c', durable);
  await client.subscribe('t', 1);
  const publisher = await worker.connect('p');
  await publisher.send(publish('t', 'old', 1, 1));
  authorizer.answer();
  await publisher.send();
  expect(client.said()).toEqual(['publish t old q1 #1']);
  await client.drop();
  client = worker.socket();
  await client.send({ ...connect('c'), cleanStart: false } as Packet, ping);
  expect(client.said()).toEqual(['connack 0x00 present', 'publish t old q1 #1 dup', 'pingresp']);
});
