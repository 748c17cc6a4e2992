/** The beginning of a connection, and what may go wrong on it without harm to others. */
import { encodePacket, type Packet } from '@dunlin/protocol';
import { describe, expect, test } from 'vitest';
import type { AuthenticationResult, Authenticator } from '../src/ports/authenticator.ts';
import { ack, connect, publish, subscribe } from './support/client.ts';
import { World } from './support/world.ts';

describe('before CONNECT', () => {
  test('the first packet is CONNECT [MQTT-3.1.0-1], and there is one [MQTT-3.1.0-2]', async () => {
    const { worker } = await World.alone();
    const early = worker.socket();
    await early.send({ type: 'pingreq' });
    expect(early.said()).toEqual([]);
    expect(early.isClosed).toBe(true);
    const twice = await worker.connect('c');
    await twice.send(connect('c'));
    expect(twice.said()).toEqual(['disconnect 0x82']);
  });

  test('CONNECT must come in time', async () => {
    const { world, worker } = await World.alone();
    const silent = worker.socket();
    await world.clock.pass(9000);
    expect(silent.isClosed).toBe(false);
    await world.clock.pass(3000);
    expect(silent.isClosed).toBe(true);
  });

  test('a CONNECT that the store leaves without an answer is refused in time', async () => {
    const { world, worker } = await World.alone();
    worker.gate.block('sessions.claim');
    const client = await worker.dial('c');
    await world.clock.pass(12_000);
    expect(client.said()).toEqual(['connack 0x88']);
    worker.gate.open('sessions.claim');
    await world.clock.settle();
    expect(worker.view.sessions).toBe(0);
  });

  test('an empty client identifier', async () => {
    const { worker } = await World.alone();
    const named = await worker.dial('');
    expect(named.one('connack').properties.assignedClientIdentifier).toMatch(/^dunlin-/); // [MQTT-3.2.2-16]
    expect((await worker.dial('', { version: 4, cleanStart: false })).one('connack').reasonCode).toBe(2); // [MQTT-3.1.3-8]
    expect((await worker.dial('', { version: 4 })).one('connack').reasonCode).toBe(0);
  });
});

test('packets that come with CONNECT are handled after CONNACK, in their order', async () => {
  const { world, worker } = await World.alone();
  worker.gate.block('sessions.claim');
  const client = worker.socket();
  await client.send(connect('c'), subscribe('t', 1), publish('other', 'a', 1, 1), publish('other', 'b', 1, 2), {
    type: 'pingreq',
  });
  expect(client.said()).toEqual([]);
  worker.gate.open('sessions.claim');
  await world.clock.settle();
  const said = client.said();
  expect(said[0]).toBe('connack 0x00');
  expect(said.filter((line) => /^(puback|pingresp)/.test(line))).toEqual([
    'puback #1 0x10',
    'puback #2 0x10',
    'pingresp',
  ]);
  expect(said).toContain('suback 0x01');
});

describe('keep alive and half packets', () => {
  test('[MQTT-3.1.2-22]: not before one and a half times the keep alive, and soon after', async () => {
    const { world, worker } = await World.alone();
    const client = await worker.connect('c', { keepAliveSeconds: 10 });
    await world.clock.pass(9700);
    await client.send({ type: 'pingreq' });
    expect(client.said()).toEqual(['pingresp']);
    await world.clock.pass(15_000);
    expect(client.isClosed).toBe(false);
    await world.clock.pass(2000);
    expect(client.said()).toEqual(['disconnect 0x8d']);
  });

  test('a client that is not read is not taken for a silent one, and has its whole keep alive again afterwards', async () => {
    const { world, worker } = await World.alone({ limits: { receiveMaximum: 2 } });
    const durable = await worker.connect('durable', { expiry: 1000, cleanStart: false });
    await durable.subscribe('log', 1);
    const client = await worker.connect('c', { version: 4, keepAliveSeconds: 3 });
    worker.gate.block('logs.append');
    await client.send(...[1, 2, 3, 4, 5].map((id) => publish('log', 'x', 1, id)));
    expect(client.transport.paused).toBe(true);
    await world.clock.pass(60_000);
    expect(client.isClosed).toBe(false);
    worker.gate.open('logs.append');
    await world.clock.settle();
    expect(client.transport.paused).toBe(false);
    await world.clock.pass(4000);
    expect(client.isClosed).toBe(false);
    await world.clock.pass(3000);
    expect(client.isClosed).toBe(true);
  });

  test.each([0, 3600])(
    'MQTT 3 clients with a keep alive of %i s are held to limits.keepAliveMaxSeconds as well',
    async (keepAliveSeconds) => {
      const { world, worker } = await World.alone({ limits: { keepAliveMaxSeconds: 10 } });
      const client = await worker.connect('c', { version: 4, keepAliveSeconds });
      await world.clock.pass(15_000);
      expect(client.isClosed).toBe(false);
      await world.clock.pass(2000);
      expect(client.isClosed).toBe(true);
    },
  );

  test('a packet that is begun must be completed in time', async () => {
    const { world, worker } = await World.alone();
    const client = await worker.connect('c');
    client.connection.receive(Buffer.from([0x30, 20, 0]));
    await world.clock.pass(29_000);
    expect(client.isClosed).toBe(false);
    await world.clock.pass(3000);
    expect(client.said()).toEqual(['disconnect 0x81']);
  });

  test('a busy client whose every chunk ends within a packet is not taken for one that does not complete it', async () => {
    const { world, worker } = await World.alone();
    const client = await worker.connect('c');
    await client.subscribe('t', 0);
    const packet = encodePacket(publish('t', 'x'), 5);
    client.connection.receive(packet.subarray(0, 3));
    for (let second = 0; second < 100; second++) {
      client.connection.receive(Buffer.concat([packet.subarray(3), packet, packet.subarray(0, 3)]));
      await world.clock.pass(1000);
    }
    expect(client.isClosed).toBe(false);
    expect(client.received()).toHaveLength(200);
  });
});

describe('an authorizer that answers later', () => {
  test('holds back what comes after it, so that the order stays (P4)', async () => {
    const answers: ((allowed: boolean) => void)[] = [];
    const authorizer = { authorize: () => new Promise<boolean>((resolve) => answers.push(resolve)) };
    const { world, worker } = await World.alone({ authorizer });
    const client = await worker.connect('c');
    client.put(subscribe('t', 1));
    answers.shift()?.(true);
    await world.clock.settle();
    expect(client.said()).toEqual(['suback 0x01']);
    await client.send(
      publish('t', 'a', 1, 1),
      publish('t', 'b', 1, 2),
      { type: 'pingreq' },
      publish('secret', 'c', 1, 3),
      { type: 'pingreq' },
    );
    expect(client.said()).toEqual([]);
    answers.shift()?.(true);
    await world.clock.settle();
    expect(client.said()).toEqual(['publish t a q1 #1', 'puback #1']);
    answers.shift()?.(true);
    await world.clock.settle();
    expect(client.said()).toEqual(['publish t b q1 #2', 'puback #2', 'pingresp']);
    answers.shift()?.(false);
    await world.clock.settle();
    expect(client.said()).toEqual(['puback #3 0x87', 'pingresp']);
    await client.send({ type: 'pingreq' });
    expect(client.said()).toEqual(['pingresp']);
  });

  test('is asked about what lies behind a delay, and a failure means no', async () => {
    const asked: string[] = [];
    const authorizer = {
      authorize: (_client: unknown, _action: unknown, topic: string) => {
        asked.push(topic);
        return Promise.reject(new Error('out of order'));
      },
    };
    const { worker } = await World.alone({ authorizer });
    const client = await worker.connect('c');
    await client.send(publish('$delayed/5/secret', 'x', 1, 1), publish('secret', 'x', 1, 2));
    expect(asked).toEqual(['secret', 'secret']);
    expect(client.said()).toEqual(['puback #1 0x87', 'puback #2 0x87']);
  });

  test('that throws ends this connection, not the worker', async () => {
    const authorizer = {
      authorize: () => {
        throw new Error('a fault');
      },
    };
    const { worker } = await World.alone({ authorizer });
    const client = await worker.connect('c');
    await client.send(publish('t', 'x', 1, 1));
    expect(client.said()).toEqual(['disconnect 0x80']);
    // It is in the log, as an error with its stack, and counted.
    const told = worker.log.filter((line) => line.startsWith('a packet could not be handled'));
    expect(told).toEqual([expect.stringMatching(/"client":"c".*Error: a fault/)]);
    expect(worker.broker.metrics.errorsEscaped).toBe(1);
  });
});

test('enhanced authentication, at CONNECT and again, and an authenticator with a fault', async () => {
  const results: (AuthenticationResult | Error)[] = [];
  const step = (): Promise<AuthenticationResult> => {
    const result = results.shift() ?? new Error('no more');
    return result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
  };
  const authenticator: Authenticator = {
    authenticate: () => ({ kind: 'refuse', reasonCode: 0x86, reason: 'no' }),
    exchange: (method) => (method === 'known' ? { step } : null),
  };
  const { worker } = await World.alone({ authenticator });
  expect((await worker.dial('c')).said()).toEqual(['connack 0x86']);
  expect((await worker.dial('c', { properties: { authenticationMethod: 'other' } })).said()).toEqual(['connack 0x8c']);
  const auth = (reasonCode: number): Packet => ({
    type: 'auth',
    reasonCode,
    properties: { authenticationMethod: 'known', authenticationData: Buffer.from('x') },
  });
  results.push({ kind: 'continue', data: Buffer.from('?') }, { kind: 'accept', userName: 'u' });
  const client = await worker.dial('c', { properties: { authenticationMethod: 'known' } });
  expect(client.one('auth').reasonCode).toBe(0x18);
  await client.send(auth(0x18));
  expect(client.said()).toEqual(['connack 0x00']);
  results.push({ kind: 'accept', userName: 'v' });
  await client.send(auth(0x19));
  expect(client.one('auth').reasonCode).toBe(0);
  expect(client.connection.signIn.userName).toBe('v');
  results.push(new Error('a fault'));
  await client.send(auth(0x19));
  expect(client.said()).toEqual(['disconnect 0x87']);
});

test('re-authentication that fails, or as another user, is logged, counted and ends the connection', async () => {
  const results: AuthenticationResult[] = [];
  const step = (): Promise<AuthenticationResult> => Promise.resolve(results.shift() as AuthenticationResult);
  const authenticator: Authenticator = {
    authenticate: () => ({ kind: 'refuse', reasonCode: 0x86, reason: 'no' }),
    exchange: () => ({ step }),
  };
  const { worker } = await World.alone({ authenticator, sessionOwner: 'user' });
  const again: Packet = { type: 'auth', reasonCode: 0x19, properties: { authenticationMethod: 'known' } };
  const { metrics } = worker.broker;
  const refusals: AuthenticationResult[] = [
    { kind: 'refuse', reasonCode: 0x87, reason: 'no', told: { user: 'ann', method: 'known', reason: 'wrong proof' } },
    { kind: 'accept', userName: 'bob' },
  ];
  for (const refusal of refusals) {
    results.push({ kind: 'accept', userName: 'ann' });
    const client = await worker.connect('c', { properties: { authenticationMethod: 'known' } });
    results.push({ kind: 'accept', userName: 'ann' });
    await client.send(again);
    expect(client.one('auth').reasonCode).toBe(0);
    const { authenticationsRefused } = metrics;
    results.push(refusal);
    await client.send(again);
    expect(client.said()).toEqual(['disconnect 0x87']);
    expect(metrics.authenticationsRefused).toBe(authenticationsRefused + 1);
  }
  const lines = worker.log.filter((line) => line.startsWith('sign-in refused'));
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain('wrong proof');
  expect(lines[1]).toContain('a connection cannot go on as another user');
});

test('10,000 clients that connect, subscribe and vanish leave nothing behind', async () => {
  const { world, worker } = await World.alone();
  const { broker } = worker;
  for (let round = 0; round < 100; round++) {
    const clients = Array.from({ length: 100 }, () => worker.socket(4));
    for (const [i, client] of clients.entries()) {
      client.put(
        connect(`c${round}-${i}`, { version: 4, keepAliveSeconds: 1 + (i % 60) }),
        subscribe(`t/${round}/${i}`, 1),
        publish('r', 'x', 1, 1),
      );
      if (i % 3 === 0) client.connection.closed(); // at once, while the store is asked
    }
    await world.clock.settle();
    for (const client of clients) client.connection.closed();
    await world.clock.settle();
  }
  expect(broker.connectionCount).toBe(0);
  expect(worker.view.sessions).toBe(0);
  expect(worker.view.hasNoFilters).toBe(true);
  expect(await world.store.sessions.owners()).toEqual([]);
  expect(await world.store.sessions.count()).toBe(0);
  await world.clock.pass(1000);
  const kept = broker.keepAlive as unknown as { buckets: Map<number, unknown> };
  expect(kept.buckets.size).toBe(0);
});

test('handshake packets with wrong lengths end the connection', async () => {
  const { worker } = await World.alone();
  for (const bytes of [
    [0x40, 1, 0],
    [0x62, 0],
    [0x50, 2, 0, 0],
  ]) {
    const client = await worker.connect('c');
    client.connection.receive(Buffer.from(bytes));
    expect(client.isClosed).toBe(true);
  }
  const fine = await worker.connect('c');
  await fine.send(ack('puback', 1));
  expect(fine.isClosed).toBe(false);
});

test('a fault of the broker in CONNECT is told as one, and not as an outage of the store', async () => {
  const authenticator: Authenticator = {
    authenticate: () => Promise.reject(new Error('a fault')),
    exchange: () => null,
  };
  const { worker } = await World.alone({ authenticator });
  const { metrics } = worker.broker;
  const client = await worker.dial('c');
  expect(client.said()).toEqual(['connack 0x80']);
  expect(client.isClosed).toBe(true);
  expect(worker.log.filter((line) => line.includes('a fault'))).toEqual([
    'CONNECT could not be handled {"client":"","address":"192.0.2.1:1883","error":"Error: a fault"}',
  ]);
  expect([metrics.errorsEscaped, metrics.storeErrors]).toEqual([1, 0]);
});
