/** PUBLISH in both directions at each QoS, and the order of acknowledgements. */
import { describe, expect, test } from 'vitest';
import { ack, publish, subscribe } from './support/client.ts';
import { World } from './support/world.ts';

describe('QoS 0, 1, 2 to an ephemeral subscriber', () => {
  test.each([3, 4, 5] as const)('MQTT version %i', async (version) => {
    const { worker } = await World.alone();
    const subscriber = await worker.connect('subscriber', { version });
    expect(await subscriber.subscribe('t/#', 2)).toEqual([2]);
    const publisher = await worker.connect('publisher', { version });
    await publisher.send(publish('t/0', 'zero'), publish('t/1', 'one', 1, 7), publish('t/2', 'two', 2, 8));
    expect(publisher.said()).toEqual(['puback #7', 'pubrec #8']);
    expect(subscriber.said()).toEqual(['publish t/0 zero q0', 'publish t/1 one q1 #1', 'publish t/2 two q2 #2']);
    await publisher.send(ack('pubrel', 8));
    expect(publisher.said()).toEqual(['pubcomp #8']);
    await subscriber.send(ack('puback', 1), ack('pubrec', 2));
    expect(subscriber.said()).toEqual(['pubrel #2']);
    await subscriber.send(ack('pubcomp', 2));
    expect(subscriber.said()).toEqual([]);
    expect(worker.view.session('subscriber')?.outbound).toBe(0);
    expect(worker.view.session('publisher')?.inbound).toBe(0);
  });

  test.each([
    [0, 2, 0],
    [1, 2, 1],
    [2, 1, 1],
    [2, 0, 0],
  ] as const)(
    'published at %i, subscribed at %i: delivered at %i [MQTT-3.8.4-8]',
    async (published, subscribed, delivered) => {
      const { worker } = await World.alone();
      const subscriber = await worker.connect('s');
      await subscriber.subscribe('t', subscribed);
      await subscriber.send(publish('t', 'x', published, published === 0 ? 0 : 1));
      const got = subscriber.received().filter((packet) => packet.type === 'publish');
      expect(got).toMatchObject([{ qos: delivered, dup: false, topic: 't' }]);
    },
  );

  test('nobody is subscribed: MQTT 5 hears it, and a QoS 2 handshake goes on all the same', async () => {
    const { worker } = await World.alone();
    const publisher = await worker.connect('p');
    await publisher.send(publish('t', 'x', 1, 1), publish('t', 'x', 2, 2));
    expect(publisher.said()).toEqual(['puback #1 0x10', 'pubrec #2 0x10']);
    await publisher.send(ack('pubrel', 2));
    expect(publisher.said()).toEqual(['pubcomp #2']);
  });

  test('a QoS 2 PUBLISH that comes again is answered and not routed again [MQTT-4.3.3-10]', async () => {
    const { worker } = await World.alone();
    const client = await worker.connect('c');
    await client.subscribe('t', 0);
    await client.send(publish('t', 'once', 2, 5));
    await client.send(publish('t', 'once', 2, 5, { dup: true }));
    expect(client.said()).toEqual(['publish t once q0', 'pubrec #5', 'pubrec #5']);
    await client.send(ack('pubrel', 5), publish('t', 'another', 2, 5));
    expect(client.said()).toEqual(['pubcomp #5', 'publish t another q0', 'pubrec #5']);
  });

  test.each([
    ['a durable publisher', { cleanStart: false, expiry: 1000 }, ''],
    ['an ephemeral publisher', {}, ''],
    ['nobody is subscribed', { cleanStart: false, expiry: 1000 }, ' 0x10'],
  ])(
    '%s: equal QoS 2 PUBLISHes before the first PUBREC are answered with one each, in their order [MQTT-4.3.3-10]',
    async (_who, options, reason) => {
      const { worker } = await World.alone();
      const reader = await worker.connect('reader', { cleanStart: false, expiry: 1000 });
      if (reason === '') await reader.subscribe('t', 2);
      const publisher = await worker.connect('p', options);
      worker.gate.block('logs.append');
      const first = publish('t', 'once', 2, 5);
      const again = publish('t', 'once', 2, 5, { dup: true });
      await publisher.send(first, again, publish('t', 'next', 2, 6), first, again, first);
      expect(publisher.said()).toEqual([]);
      worker.gate.open('logs.append');
      await publisher.send({ type: 'pingreq' });
      const answers = ['pubrec #5', 'pubrec #5', 'pubrec #6', 'pubrec #5', 'pubrec #5', 'pubrec #5'];
      expect(publisher.said()).toEqual(['pingresp', ...answers.map((answer) => answer + reason)]);
      await publisher.send(ack('pubrel', 5), first);
      expect(publisher.said()).toEqual(['pubcomp #5', `pubrec #5${reason}`]);
      expect(worker.broker.metrics.acknowledgementsWaiting).toBe(0);
      const wanted = ['publish t once q2 #1', 'publish t next q2 #2', 'publish t once q2 #3'];
      expect(reader.said()).toEqual(reason === '' ? wanted : []);
    },
  );

  test('handshake packets nobody waits for are answered as MQTT 5 asks', async () => {
    const { worker } = await World.alone();
    const client = await worker.connect('c');
    await client.send(ack('puback', 9), ack('pubrec', 9), ack('pubrel', 9), ack('pubcomp', 9));
    expect(client.said()).toEqual(['pubrel #9 0x92', 'pubcomp #9 0x92']);
  });

  test('a PUBREC that refuses what nobody sent is not answered', async () => {
    const { worker } = await World.alone();
    const client = await worker.connect('c');
    await client.send(ack('pubrec', 9, 0x80), ack('pubrel', 9));
    expect(client.said()).toEqual(['pubcomp #9 0x92']);
  });

  test.each(['puback', 'pubrec', 'pubrel', 'pubcomp'] as const)(
    '%s with packet identifier 0 ends the connection',
    async (type) => {
      const { worker } = await World.alone();
      const client = await worker.connect('c');
      await client.send(ack(type, 0));
      expect(client.said()).toEqual(['disconnect 0x82']);
    },
  );

  test('a PUBREC that refuses frees the identifier', async () => {
    const { worker } = await World.alone();
    const client = await worker.connect('c', { properties: { receiveMaximum: 1 } });
    await client.subscribe('t', 2);
    await client.send(publish('t', 'a', 2, 1), publish('t', 'b', 2, 2));
    expect(client.said()).toEqual(['publish t a q2 #1', 'pubrec #1', 'pubrec #2']);
    await client.send(ack('pubrec', 1, 0x80));
    expect(client.said()).toEqual(['publish t b q2 #2']);
  });
});

describe('acknowledgements wait for what they stand for', () => {
  /**
   * P1, and the order of [MQTT-4.6.0-2]: the first waits for the log, so the second, which has nothing to wait for, waits behind it.
   * Seen to fail with `acknowledgement.waits++` taken out of PublishRouter.append.
   */
  test('P1: PUBACK and PUBREC leave when the log has the message, in the order of their PUBLISH', async () => {
    const { world, worker } = await World.alone();
    const durable = await worker.connect('durable', { expiry: 1000, cleanStart: false });
    await durable.subscribe('log', 2);
    const publisher = await worker.connect('p');
    worker.gate.block('logs.append');
    await publisher.send(
      publish('log', 'a', 1, 1),
      publish('free', 'b', 1, 2),
      publish('log', 'c', 2, 3),
      publish('free', 'd', 2, 4),
    );
    expect(publisher.said()).toEqual([]);
    expect(durable.said()).toEqual([]);
    worker.gate.open('logs.append');
    await world.clock.settle();
    expect(publisher.said()).toEqual(['puback #1', 'puback #2 0x10', 'pubrec #3', 'pubrec #4 0x10']);
    expect(durable.said()).toEqual(['publish log a q1 #1', 'publish log c q2 #2']);
  });

  test('P1: while the store is not available nothing is acknowledged; when it is back everything is, once and in order', async () => {
    const { world, worker } = await World.alone();
    const durable = await worker.connect('durable', { expiry: 1000, cleanStart: false });
    await durable.subscribe('log', 1);
    const publisher = await worker.connect('p');
    worker.gate.refused = ['logs.append'];
    await publisher.send(publish('log', 'a', 1, 1));
    await publisher.send(publish('log', 'b', 1, 2));
    await world.clock.pass(3000);
    expect(publisher.said()).toEqual([]);
    worker.gate.refused = 'none';
    await world.clock.pass(1000);
    expect(publisher.said()).toEqual(['puback #1', 'puback #2']);
    expect(durable.said()).toEqual(['publish log a q1 #1', 'publish log b q1 #2']);
  });

  test('a retained message is acknowledged when it is stored', async () => {
    const { world, worker } = await World.alone();
    const publisher = await worker.connect('p');
    worker.gate.block('retained.set');
    await publisher.send(publish('r', 'kept', 1, 1, { retain: true }));
    expect(publisher.said()).toEqual([]);
    worker.gate.open('retained.set');
    await world.clock.settle();
    expect(publisher.said()).toEqual(['puback #1']);
  });
});

describe('what a publisher may not do', () => {
  test('MQTT 5: a multiple of the Receive Maximum that is not released ends it with 0x93 [MQTT-3.3.4-7]', async () => {
    const { worker } = await World.alone({ limits: { receiveMaximum: 2 } });
    const client = await worker.connect('c');
    for (let id = 1; id <= 16; id++) {
      await client.send(publish('t', 'x', 2, id));
      expect(client.said()).toEqual([`pubrec #${id} 0x10`]);
    }
    await client.send(publish('t', 'x', 2, 17));
    expect(client.said()).toEqual(['disconnect 0x93']);
    expect(client.isClosed).toBe(true);
  });

  test.each([1, 2] as const)('a burst of QoS %i above it goes through', async (qos) => {
    const { worker } = await World.alone({ limits: { receiveMaximum: 2 } });
    const client = await worker.connect('c');
    const ids = Array.from({ length: 16 }, (_, i) => i + 1);
    await client.send(...ids.map((id) => publish('t', 'x', qos, id)));
    expect(client.said()).toEqual(ids.map((id) => `${qos === 1 ? 'puback' : 'pubrec'} #${id} 0x10`));
    if (qos === 1) return;
    await client.send(...ids.map((id) => ack('pubrel', id)), publish('t', 'x', qos, 1));
    expect(client.said()).toEqual([...ids.map((id) => `pubcomp #${id}`), 'pubrec #1 0x10']);
  });

  test.each([
    [4, 1],
    [5, 1],
    [5, 2],
  ] as const)(
    'version %i, QoS %i: not read while too much waits for the store, which is no fault of the client',
    async (version, qos) => {
      const { world, worker } = await World.alone({ limits: { receiveMaximum: 2 } });
      const durable = await worker.connect('durable', { expiry: 1000, cleanStart: false });
      await durable.subscribe('log', 1);
      const client = await worker.connect('c', { version });
      worker.gate.block('logs.append');
      const ids = Array.from({ length: 40 }, (_, i) => i + 1);
      await client.send(...ids.map((id) => publish('log', 'x', qos, id)));
      expect(client.transport.paused).toBe(true);
      expect(client.said()).toEqual([]);
      worker.gate.open('logs.append');
      await world.clock.settle();
      expect(client.said()).toEqual(ids.map((id) => `${qos === 1 ? 'puback' : 'pubrec'} #${id}`));
      expect(client.transport.paused).toBe(false);
    },
  );

  test('what a former connection left unreleased does not count', async () => {
    const { worker } = await World.alone({ limits: { receiveMaximum: 2 } });
    const first = await worker.connect('c', { expiry: 1000, cleanStart: false });
    const ids = Array.from({ length: 16 }, (_, i) => i + 1);
    await first.send(...ids.map((id) => publish('t', 'x', 2, id)));
    await first.drop();
    const second = await worker.connect('c', { expiry: 1000, cleanStart: false });
    await second.send(...ids.map((id) => publish('t', 'x', 2, 100 + id)));
    expect(second.said()).toEqual(ids.map((id) => `pubrec #${100 + id} 0x10`));
    // One that is released and used again is of this connection.
    await second.send(ack('pubrel', 1));
    expect(second.said()).toEqual(['pubcomp #1']);
    await second.send(publish('t', 'x', 2, 1));
    expect(second.said()).toEqual(['disconnect 0x93']);
  });

  test.each([
    ['a QoS over the maximum', { maximumQos: 1 as const }, publish('t', 'x', 2, 1), 0x9b],
    ['RETAIN where it is not available', { retainAvailable: false }, publish('t', 'x', 0, 0, { retain: true }), 0x9a],
    ['a topic alias of 0', {}, publish('t', 'x', 0, 0, { properties: { topicAlias: 0 } }), 0x94],
    [
      'a topic alias over the maximum',
      { topicAliasMaximum: 2 },
      publish('t', 'x', 0, 0, { properties: { topicAlias: 3 } }),
      0x94,
    ],
    [
      'a topic alias where none is allowed',
      { topicAliasMaximum: 0 },
      publish('t', 'x', 0, 0, { properties: { topicAlias: 1 } }),
      0x94,
    ],
    ['a topic alias that was not set', {}, publish('', 'x', 0, 0, { properties: { topicAlias: 1 } }), 0x82],
    ['a filter as topic', {}, publish('a/+', 'x'), 0x90],
    ['more levels than allowed', { topicLevelsMax: 3 }, publish('a/b/c/d', 'x'), 0x90],
    ['a delayed topic without delay', {}, publish('$delayed/soon/t', 'x'), 0x90],
  ])('%s', async (_what, limits, packet, reasonCode) => {
    const { worker } = await World.alone({ limits });
    const client = await worker.connect('c');
    await client.send(packet);
    expect(client.one('disconnect').reasonCode).toBe(reasonCode);
    expect(client.isClosed).toBe(true);
  });

  test('topics that only the broker publishes are refused, also behind a delay', async () => {
    const { world, worker } = await World.alone();
    const client = await worker.connect('c');
    client.transport.remoteAddress = '127.0.0.1:1883';
    await client.subscribe('$SYS/forged', 0);
    await client.send(
      publish('$SYS/forged', 'x', 1, 1),
      publish('$delayed/1/$SYS/forged', 'x', 1, 2),
      publish('$delayed/1/$delayed/1/x', 'x', 1, 3),
    );
    expect(client.said()).toEqual(['puback #1 0x87', 'puback #2 0x87', 'puback #3 0x87']);
    await world.clock.pass(5000);
    expect(client.said()).toEqual([]);
  });
});

test('No Local: a publisher does not hear itself, through the tree or through a log', async () => {
  const { worker } = await World.alone();
  for (const expiry of [0, 1000]) {
    const client = await worker.connect('self', { expiry });
    await client.send(subscribe('t', 1, { noLocal: true }));
    const other = await worker.connect('other', { expiry });
    await other.subscribe('t', 1);
    client.received();
    await client.send(publish('t', 'x', 0), publish('t', 'y', 1, 1));
    expect(client.said()).toEqual(['puback #1']);
    expect(other.said()).toEqual(['publish t x q0', 'publish t y q1 #1']);
  }
});

test.each([
  [0, 0],
  [1, 0],
  [1, 1000],
  [2, 1000],
] as const)(
  'No Local: nor its delayed message, whichever worker publishes that (QoS %i, expiry %i s)',
  async (qos, expiry) => {
    const { world, workers } = await World.of(2);
    const clients = [];
    for (const [index, worker] of workers.entries()) {
      const client = await worker.connect(`self-${index}`, { expiry });
      await client.send(subscribe('t', 1, { noLocal: true }));
      clients.push(client);
    }
    for (const [index, client] of clients.entries()) {
      await client.send(publish('$delayed/1/t', `of ${index}`, qos, qos === 0 ? 0 : 1));
      client.received();
    }
    await world.clock.pass(2000);
    const suffix = qos === 0 ? 'q0' : 'q1 #1';
    expect(clients.map((client) => client.said())).toEqual([
      [`publish t of 1 ${suffix}`],
      [`publish t of 0 ${suffix}`],
    ]);
  },
);
