import { AsyncLocalStorage } from 'node:async_hooks';
import type { Packet } from '@dunlin/protocol';
import { DeadlineError, type PacketOf, WebSocketClient, WireClient } from '@dunlin/testkit';
import { inject } from 'vitest';
import {
  ackPacket,
  type ConnectOptions,
  connectPacket,
  disconnectPacket,
  type FilterOptions,
  type PublishOptions,
  publishPacket,
  subscribePacket,
} from './packets-to-send.ts';
import type { Level } from './statement.ts';

/** The connections of the conversation that is being held. */
const opened = new AsyncLocalStorage<(WireClient | WebSocketClient)[]>();

/** Runs a conversation and drops every connection that it opened. */
export async function droppingConnections(hold: () => Promise<void>): Promise<void> {
  const clients: (WireClient | WebSocketClient)[] = [];
  try {
    await opened.run(clients, hold);
  } finally {
    await Promise.all(clients.map((client) => client.drop()));
  }
}

/** A connection to the broker under test on which nothing was said yet. */
export async function open(level: Level): Promise<WireClient> {
  const client = await WireClient.open(inject('brokerUnderTest').url, level);
  opened.getStore()?.push(client);
  return client;
}

/** A WebSocket to the broker under test, or undefined when it has no address for one. */
export async function openWebSocket(): Promise<WebSocketClient | undefined> {
  const { webSocketUrl } = inject('brokerUnderTest');
  if (webSocketUrl === undefined) return undefined;
  const client = await WebSocketClient.open(webSocketUrl);
  opened.getStore()?.push(client);
  return client;
}

/** A client that was accepted, and the CONNACK that it got. */
export async function connectedWith(
  level: Level,
  options: ConnectOptions = {},
): Promise<{ client: WireClient; connack: PacketOf<'connack'> }> {
  const client = await open(level);
  client.send(connectPacket(level, options));
  const connack = await client.expectPacket({ type: 'connack', reasonCode: 0 });
  return { client, connack };
}

/** A client that was accepted. */
export async function connected(level: Level, options: ConnectOptions = {}): Promise<WireClient> {
  return (await connectedWith(level, options)).client;
}

/** Subscribes and waits for a SUBACK that grants every filter the QoS it asked for. */
export async function subscribe(
  client: WireClient,
  filters: string | FilterOptions | readonly FilterOptions[],
  subscriptionIdentifier = 0,
): Promise<void> {
  const list = typeof filters === 'string' ? [{ filter: filters }] : Array.isArray(filters) ? filters : [filters];
  client.send(subscribePacket(list, 1, subscriptionIdentifier));
  const { packetId, reasonCodes } = await client.expectAmong('suback');
  const wanted = list.map((filter) => filter.qos ?? 0);
  if (packetId !== 1 || reasonCodes.join() !== wanted.join()) {
    throw new DeadlineError(
      `expected SUBACK 1 with ${wanted}, got ${packetId} with ${reasonCodes}${client.transcript()}`,
    );
  }
}

/** A client that was accepted and has subscribed. */
export async function subscribed(
  level: Level,
  filters: string | FilterOptions | readonly FilterOptions[],
  options: ConnectOptions = {},
): Promise<WireClient> {
  const client = await connected(level, options);
  await subscribe(client, filters);
  return client;
}

/** Publishes and goes through the whole handshake of its QoS. QoS 0 is fenced by a PINGREQ. */
export async function publish(client: WireClient, options: PublishOptions): Promise<void> {
  const packetId = options.packetId ?? 1;
  client.send(publishPacket(options));
  switch (options.qos ?? 0) {
    case 0:
      await client.expectNothing();
      return;
    case 1:
      await client.expectPacket({ type: 'puback', packetId });
      return;
    default:
      await client.expectPacket({ type: 'pubrec', packetId });
      client.send(ackPacket('pubrel', packetId));
      await client.expectPacket({ type: 'pubcomp', packetId });
  }
}

/** The next packet is a PUBLISH like this; it is acknowledged as its QoS demands. */
export async function receive(
  client: WireClient,
  partial: Partial<Omit<PacketOf<'publish'>, 'type' | 'payload'>> & { payload?: string | Buffer },
  milliseconds?: number,
): Promise<PacketOf<'publish'>> {
  const { payload, ...rest } = partial;
  const wanted: Partial<PacketOf<'publish'>> & { type: 'publish' } = { type: 'publish', ...rest };
  if (payload !== undefined) wanted.payload = Buffer.from(payload);
  const packet = await client.expectPacket(wanted, milliseconds);
  if (packet.qos === 1) client.send(ackPacket('puback', packet.packetId));
  if (packet.qos === 2) {
    client.send(ackPacket('pubrec', packet.packetId));
    await client.expectPacket({ type: 'pubrel', packetId: packet.packetId });
    client.send(ackPacket('pubcomp', packet.packetId));
  }
  return packet;
}

/**
 * Expects that no message published before has reached `subscriber`: a message published now to `topic`, which it
 * subscribes to, is the next one it gets. The publisher must be the one whose message is not to arrive, since order
 * holds per client.
 */
export async function expectOnlyMarker(
  subscriber: WireClient,
  publisher: WireClient,
  topic: string,
  qos: 0 | 1 = 0,
): Promise<void> {
  publisher.send(publishPacket({ topic, payload: 'marker', qos, packetId: qos === 0 ? 0 : 65_000 }));
  if (qos === 1) await publisher.expectPacket({ type: 'puback', packetId: 65_000 });
  await receive(subscriber, { topic, payload: 'marker' });
}

/** Says goodbye and waits until the broker has closed the connection, so that it has ended the connection's business. */
export async function leave(client: WireClient, disconnect: Packet = disconnectPacket()): Promise<void> {
  client.send(disconnect);
  await client.expectClosed();
}

/** True when the broker under test must send the reason code that the text allows it to leave out. */
function mustGiveReasons(): boolean {
  return inject('brokerUnderTest').name === 'dunlin';
}

function requireCode(packet: { reasonCode: number }, codes: readonly number[], client: WireClient): void {
  if (codes.length > 0 && !codes.includes(packet.reasonCode)) {
    const wanted = codes.map((code) => `0x${code.toString(16)}`).join(' or ');
    throw new DeadlineError(`expected reason ${wanted}, got 0x${packet.reasonCode.toString(16)}${client.transcript()}`);
  }
}

/**
 * The broker ends an accepted connection for an error. MQTT 5.0: with DISCONNECT and one of `codes` (the text also allows
 * none; Dunlin always sends it). MQTT 3.1.1: without a word.
 */
export async function expectDisconnected(client: WireClient, ...codes: readonly number[]): Promise<void> {
  const packets = await client.untilClosed();
  if (client.version !== 5) {
    if (packets.length > 0) {
      throw new DeadlineError(`expected the end, got ${packets[0].type}${client.transcript()}`);
    }
    return;
  }
  const last = packets.pop();
  if (last === undefined && !mustGiveReasons()) return;
  if (last?.type !== 'disconnect' || packets.length > 0) {
    throw new DeadlineError(`expected DISCONNECT and the end, got ${last?.type ?? 'the end'}${client.transcript()}`);
  }
  requireCode(last, codes, client);
}

/**
 * The broker refuses a CONNECT. MQTT 5.0: with CONNACK and one of `codes`, session present 0 (the text also allows to
 * close without one; Dunlin always sends it). MQTT 3.1.1: without a word, or with CONNACK `returnCode` where one fits.
 */
export async function expectRefused(client: WireClient, codes: readonly number[], returnCode?: number): Promise<void> {
  const packets = await client.untilClosed();
  const connack = packets.shift();
  if (packets.length > 0) {
    throw new DeadlineError(`expected nothing after CONNACK, got ${packets[0].type}${client.transcript()}`);
  }
  if (client.version === 5) {
    if (connack === undefined && !mustGiveReasons()) return;
    if (connack?.type !== 'connack' || connack.sessionPresent) {
      throw new DeadlineError(
        `expected CONNACK without session, got ${connack?.type ?? 'the end'}${client.transcript()}`,
      );
    }
    requireCode(connack, codes, client);
    return;
  }
  if (returnCode === undefined) {
    if (connack !== undefined) {
      throw new DeadlineError(`expected the end, got ${connack.type}${client.transcript()}`);
    }
    return;
  }
  if (connack?.type !== 'connack' || connack.sessionPresent || connack.reasonCode !== returnCode) {
    throw new DeadlineError(`expected CONNACK ${returnCode}, got ${connack?.type ?? 'the end'}${client.transcript()}`);
  }
}
