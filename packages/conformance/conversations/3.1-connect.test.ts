import { hex, prefixed, rawConnect, rawPacket } from '@dunlin/testkit';
import { expect } from 'vitest';
import {
  connected,
  connectedWith,
  expectDisconnected,
  expectOnlyMarker,
  expectRefused,
  leave,
  open,
  publish,
  receive,
  subscribe,
  subscribed,
} from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { connectPacket, disconnectPacket, durable, publishPacket, uniqueName } from '../src/packets-to-send.ts';

conversation(
  'a first packet other than CONNECT closes the connection',
  { 4: '[MQTT-3.1.0-1]', 5: '[MQTT-3.1.0-1]' },
  async (level) => {
    const topic = uniqueName();
    for (const packet of [hex('c0 00'), hex('e0 00'), publishPacket({ topic }), rawPacket(0x40, hex('00 01'))]) {
      const client = await open(level);
      client.send(packet);
      await client.expectClosed();
    }
  },
);

conversation(
  'a second CONNECT closes the connection',
  { 4: '[MQTT-3.1.0-2]', 5: '[MQTT-3.1.0-2] [MQTT-3.2.0-2]' },
  async (level) => {
    const client = await connected(level);
    client.send(connectPacket(level));
    await expectDisconnected(client, 0x82);
  },
);

conversation(
  'a protocol name other than MQTT is not served',
  { 4: '[MQTT-3.1.2-1]', 5: '[MQTT-3.1.2-1]' },
  async (level) => {
    for (const protocolName of ['mqtt', 'MQTTT', '']) {
      const client = await open(level);
      client.send(rawConnect({ level, protocolName, payload: prefixed(uniqueName()) }));
      const packets = await client.untilClosed();
      expect(packets.length).toBeLessThanOrEqual(1);
      for (const packet of packets) {
        expect(packet).toMatchObject({ type: 'connack', reasonCode: level === 5 ? expect.toBeOneOf([0x81, 0x84]) : 1 });
      }
    }
  },
);

conversation(
  'a protocol level below all that are served is refused in the way of 3.1.1',
  { 4: '[MQTT-3.1.2-2] [MQTT-3.2.2-5]' },
  async (level) => {
    const client = await open(level);
    client.send(rawConnect({ level: 2, payload: prefixed(uniqueName()) }));
    await client.expectBytes(hex('20 02 00 01'));
    await client.expectClosed();
  },
);

conversation('protocol level 6 is refused', { 5: '[MQTT-3.1.2-2]' }, async (level) => {
  const client = await open(level);
  client.send(rawConnect({ level: 6, payload: prefixed(uniqueName()) }));
  // A client of an unknown version may be answered in the way of 5.0 or of 3.1.1, or not at all.
  const seen: string[] = [];
  while (!client.isClosed) {
    try {
      seen.push((await client.nextFrame()).bytes.toString('hex'));
    } catch {
      await client.expectClosed();
    }
  }
  expect(seen.length).toBeLessThanOrEqual(1);
  for (const bytes of seen) expect(bytes).toMatch(/^(20020001|20..0084.*)$/);
});

conversation(
  'the reserved connect flag is refused',
  { 4: '[MQTT-3.1.2-3] [MQTT-3.1.4-1] [MQTT-3.2.2-6]', 5: '[MQTT-3.1.2-3] [MQTT-3.1.4-1]' },
  async (level) => {
    const client = await open(level);
    client.send(rawConnect({ level, flags: 0x03, payload: prefixed(uniqueName()) }));
    await expectRefused(client, [0x81]);
  },
);

conversation(
  'reserved flags of the fixed header of CONNECT are refused',
  { 4: '[MQTT-3.1.4-1]', 5: '[MQTT-3.1.4-1]' },
  async (level) => {
    const client = await open(level);
    client.send(rawConnect({ level, firstByte: 0x12, payload: prefixed(uniqueName()) }));
    // Whoever stops at the fixed header does not know the version yet, and has no CONNACK to send.
    const packets = await client.untilClosed();
    expect(packets.length).toBeLessThanOrEqual(level === 5 ? 1 : 0);
    for (const packet of packets) expect(packet).toMatchObject({ type: 'connack', reasonCode: 0x81 });
  },
);

conversation(
  'clean start throws the old session away',
  {
    4: '[MQTT-3.1.2-6] [MQTT-3.1.4-3] [MQTT-3.2.2-1]',
    5: '[MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.2.2-2]',
  },
  async (level) => {
    const topic = uniqueName();
    const clientId = uniqueName();
    const publisher = await connected(level);
    const old = await subscribed(level, [{ filter: topic, qos: 1 }], durable(level, { clientId }));
    await leave(old);
    await publish(publisher, { topic, qos: 1, payload: 'old' });
    const { client, connack } = await connectedWith(level, { ...durable(level, { clientId }), cleanStart: true });
    expect(connack.sessionPresent).toBe(false);
    await subscribe(client, { filter: `${topic}/new`, qos: 1 });
    await publish(publisher, { topic, qos: 1, payload: 'not for it' });
    await expectOnlyMarker(client, publisher, `${topic}/new`, 1);
  },
);

conversation(
  'without clean start the session is taken up again',
  {
    4: '[MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.1.3-2] [MQTT-3.2.2-2] [MQTT-4.1.0-1] [MQTT-4.5.0-1]',
    5: '[MQTT-3.1.2-5] [MQTT-3.1.2-23] [MQTT-3.1.3-2] [MQTT-3.2.2-3] [MQTT-4.5.0-1]',
  },
  async (level) => {
    const topic = uniqueName();
    const clientId = uniqueName();
    const publisher = await connected(level);
    const old = await subscribed(level, [{ filter: topic, qos: 2 }], durable(level, { clientId }));
    await leave(old);
    await publish(publisher, { topic, qos: 1, payload: 'one' });
    await publish(publisher, { topic, qos: 2, payload: 'two' });
    const { client, connack } = await connectedWith(level, durable(level, { clientId }));
    expect(connack.sessionPresent).toBe(true);
    await receive(client, { topic, qos: 1, payload: 'one', dup: false });
    await receive(client, { topic, qos: 2, payload: 'two', dup: false });
    await publish(publisher, { topic, qos: 1, payload: 'three' });
    await receive(client, { topic, payload: 'three' });
  },
);

conversation(
  'without clean start and without a session there is a new one',
  { 4: '[MQTT-3.1.2-4] [MQTT-3.2.2-3]', 5: '[MQTT-3.1.2-6] [MQTT-3.2.2-3]' },
  async (level) => {
    const topic = uniqueName();
    const { client, connack } = await connectedWith(level, durable(level));
    expect(connack.sessionPresent).toBe(false);
    await subscribe(client, topic);
    await publish(await connected(level), { topic, payload: 'x' });
    await receive(client, { topic, payload: 'x' });
  },
);

conversation('a session of clean session 1 ends with its connection', { 4: '[MQTT-3.1.2-6]' }, async (level) => {
  const topic = uniqueName();
  const clientId = uniqueName();
  await leave(await subscribed(level, [{ filter: topic, qos: 1 }], { clientId, cleanStart: true }));
  await publish(await connected(level), { topic, qos: 1 });
  const { client, connack } = await connectedWith(level, { clientId, cleanStart: false });
  expect(connack.sessionPresent).toBe(false);
  await client.expectNothing();
});

conversation('a retained message outlives the session that published it', { 4: '[MQTT-3.1.2-7]' }, async (level) => {
  const topic = uniqueName();
  const publisher = await connected(level);
  await publish(publisher, { topic, retain: true, qos: 1, payload: 'kept' });
  await leave(publisher);
  const subscriber = await subscribed(level, topic);
  await receive(subscriber, { topic, retain: true, payload: 'kept' });
});

conversation(
  'user name and password must be there exactly when their flags say so',
  {
    4: '[MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT-3.1.2-20] [MQTT-3.1.2-21] [MQTT-3.1.3-1]',
    5: '[MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT-3.1.3-1]',
  },
  async (level) => {
    const id = prefixed(uniqueName());
    const wrong = [
      { flags: 0x02, payload: Buffer.concat([id, prefixed('user')]) },
      { flags: 0x82, payload: id },
      { flags: 0x82, payload: Buffer.concat([id, prefixed('user'), prefixed('password')]) },
      { flags: 0xc2, payload: Buffer.concat([id, prefixed('user')]) },
    ];
    for (const { flags, payload } of wrong) {
      const client = await open(level);
      client.send(rawConnect({ level, flags, payload }));
      await expectRefused(client, [0x81, 0x82]);
    }
  },
);

conversation('a password without a user name is refused', { 4: '[MQTT-3.1.2-22]' }, async (level) => {
  const client = await open(level);
  const payload = Buffer.concat([prefixed(uniqueName()), prefixed('password')]);
  client.send(rawConnect({ level, flags: 0x42, payload }));
  await expectRefused(client, []);
});

conversation(
  'ill-formed UTF-8 in user name and will topic is refused',
  { 4: '[MQTT-3.1.3-10] [MQTT-3.1.3-11]', 5: '[MQTT-3.1.3-11] [MQTT-3.1.3-12]' },
  async (level) => {
    const id = prefixed(uniqueName());
    const bad = prefixed(hex('75 ff'));
    const none = level === 5 ? [hex('00')] : [];
    const wrong = [
      { flags: 0x82, payload: Buffer.concat([id, bad]) },
      { flags: 0x06, payload: Buffer.concat([id, ...none, bad, prefixed('gone')]) },
    ];
    for (const { flags, payload } of wrong) {
      const client = await open(level);
      client.send(rawConnect({ level, flags, payload }));
      await expectRefused(client, [0x81, 0x82, 0x90]);
    }
  },
);

conversation(
  'the connection is closed after one and a half keep alive times of silence',
  { 4: '[MQTT-3.1.2-24]', 5: '[MQTT-3.1.2-22] [MQTT-3.2.2-22]' },
  async (level) => {
    // Two seconds, since Mosquitto 2.0 counts whole seconds and rounds one and a half of them down.
    const started = performance.now();
    const client = await open(level);
    client.send(connectPacket(level, { keepAliveSeconds: 2 }));
    const connack = await client.expectPacket({ type: 'connack', reasonCode: 0 });
    const keepAliveSeconds = connack.properties.serverKeepAlive ?? 2;
    expect(keepAliveSeconds).toBeLessThanOrEqual(10);
    const packets = await client.untilClosed(keepAliveSeconds * 1_500 + 8_000);
    for (const packet of packets) expect(packet).toMatchObject({ type: 'disconnect', reasonCode: 0x8d });
    expect(performance.now() - started).toBeGreaterThan(keepAliveSeconds * 1_400);
  },
);

conversation('the client identifier must be there', { 4: '[MQTT-3.1.3-3]', 5: '[MQTT-3.1.3-3]' }, async (level) => {
  const client = await open(level);
  client.send(rawConnect({ level, payload: Buffer.alloc(0) }));
  await expectRefused(client, [0x81, 0x82]);
});

conversation(
  'identifiers of 1 to 23 digits and letters are accepted',
  { 4: '[MQTT-3.1.3-5] [MQTT-3.1.4-4]', 5: '[MQTT-3.1.3-5] [MQTT-3.1.4-5]' },
  async (level) => {
    for (const clientId of ['0', '0123456789abcdefghijklm', 'nopqrstuvwxyzABCDEFGHIJ', 'KLMNOPQRSTUVWXYZ']) {
      const { connack } = await connectedWith(level, { clientId: `${clientId}` });
      expect(connack.sessionPresent).toBe(false);
    }
  },
);

conversation('an empty identifier is accepted', { 4: '[MQTT-3.1.3-6]' }, async (level) => {
  const topic = uniqueName();
  const first = await connected(level, { clientId: '' });
  const second = await connected(level, { clientId: '' });
  await subscribe(first, topic);
  await publish(second, { topic, payload: 'two different clients' });
  await receive(first, { topic, payload: 'two different clients' });
});

conversation(
  'an empty identifier gets a unique one, which is told and works like any other',
  { 5: '[MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]' },
  async (level) => {
    const { client, connack } = await connectedWith(level, durable(level, { clientId: '' }));
    const other = await connectedWith(level, { clientId: '' });
    const clientId = connack.properties.assignedClientIdentifier ?? '';
    expect(clientId).not.toBe('');
    expect(other.connack.properties.assignedClientIdentifier).not.toBe(clientId);
    await leave(client);
    const again = await connectedWith(level, durable(level, { clientId }));
    expect(again.connack.sessionPresent).toBe(true);
    expect(again.connack.properties.assignedClientIdentifier).toBeUndefined();
  },
);

conversation(
  'an empty identifier without clean session is refused',
  { 4: '[MQTT-3.1.3-8] [MQTT-3.1.3-9] [MQTT-3.2.2-4] [MQTT-3.2.2-5]' },
  async (level) => {
    const client = await open(level);
    client.send(rawConnect({ level, flags: 0x00 }));
    await client.expectBytes(hex('20 02 00 02'));
    await client.expectClosed();
  },
);

conversation('an identifier with U+0000 is refused', { 5: '[MQTT-3.1.3-8]' }, async (level) => {
  const client = await open(level);
  client.send(rawConnect({ level, payload: prefixed('a\u0000b') }));
  await expectRefused(client, [0x81, 0x82, 0x85]);
});

conversation(
  'receive maximum 0 and maximum packet size 0 are refused',
  { 5: '[MQTT-3.1.4-1] [MQTT-3.1.4-2] [MQTT-4.13.1-1]' },
  async (level) => {
    for (const wrong of [
      hex('21 0000'),
      hex('27 00000000'),
      hex('17 02'),
      hex('19 02'),
      hex('11 00000001 11 00000001'),
    ]) {
      const client = await open(level);
      client.send(rawConnect({ level, properties: wrong, payload: prefixed(uniqueName()) }));
      await expectRefused(client, [0x82]);
    }
  },
);

conversation('authentication data without a method is refused', { 5: '[MQTT-3.1.4-1]' }, async (level) => {
  const client = await open(level);
  client.send(
    rawConnect({ level, properties: Buffer.concat([hex('16'), prefixed('secret')]), payload: prefixed(uniqueName()) }),
  );
  await expectRefused(client, [0x82]);
});

conversation(
  'a client that connects again takes its session over, and the older connection is closed',
  { 4: '[MQTT-3.1.4-2]', 5: '[MQTT-3.1.4-3]' },
  async (level) => {
    const clientId = uniqueName();
    const old = await connected(level, { clientId });
    const young = await connected(level, { clientId });
    await expectDisconnected(old, 0x8e);
    await young.expectNothing();
  },
);

conversation(
  'a session lasts as long as its connection, and through a takeover',
  { 4: '[MQTT-4.1.0-2]', 5: '[MQTT-4.1.0-1]' },
  async (level) => {
    const topic = uniqueName();
    const clientId = uniqueName();
    await subscribed(level, [{ filter: topic, qos: 1 }], durable(level, { clientId }));
    const { client, connack } = await connectedWith(level, durable(level, { clientId }));
    expect(connack.sessionPresent).toBe(true);
    await publish(await connected(level), { topic, qos: 1, payload: 'x' });
    await receive(client, { topic, payload: 'x' });
  },
);

conversation(
  'what follows a refused CONNECT is not processed',
  { 4: '[MQTT-3.1.4-5]', 5: '[MQTT-3.1.4-6]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, topic);
    const refused = await open(level);
    refused.send(
      rawConnect({ level, flags: 0x03, payload: prefixed(uniqueName()) }),
      publishPacket({ topic, payload: 'never' }),
    );
    await expectRefused(refused, [0x81]);
    await expectOnlyMarker(subscriber, await connected(level), topic);
  },
);

conversation(
  'packets may follow CONNECT before CONNACK has come',
  { 4: '[MQTT-3.2.0-1]', 5: '[MQTT-3.2.0-1]' },
  async (level) => {
    const topic = uniqueName();
    const client = await open(level);
    client.send(connectPacket(level), publishPacket({ topic, qos: 1, packetId: 3 }), hex('c0 00'), disconnectPacket());
    await client.expectPacket({ type: 'connack', reasonCode: 0 });
    const kinds = (await client.untilClosed()).map((packet) => packet.type).sort();
    expect(kinds).toEqual(['pingresp', 'puback']);
  },
);
