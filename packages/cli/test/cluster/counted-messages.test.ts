import { ackPacket, type Conversation, connectPacket } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import type { ClusterNode } from './cluster-node.ts';
import { Tally } from './tally.ts';

// What the nodes say that they have counted is what their clients have seen, to the last message, added up over the nodes.

const timeout = 60_000;
const queuedMessagesMax = 5;

describe('three nodes of two workers', () => {
  let cluster: Cluster;
  let nodes: readonly ClusterNode[];
  const tally = new Tally();
  /** Messages that ended otherwise than by arriving, by cause. */
  const dropped: Record<string, number> = {};
  let publisher: Conversation;

  beforeAll(async () => {
    const more = ['--set', `limits.queuedMessagesMax=${queuedMessagesMax}`];
    cluster = await Cluster.start({ nodes: 3, workers: 2, arguments: more });
    nodes = cluster.nodes;
    publisher = await nodes[0].connect({ clientId: 'publisher' });
  }, timeout);
  afterAll(() => cluster[Symbol.asyncDispose]());

  function drop(reason: string, count: number): void {
    dropped[reason] = (dropped[reason] ?? 0) + count;
  }

  /** The sum over the nodes of each series of a metric, by its one label. */
  async function sums(name: string): Promise<Record<string, number>> {
    const found: Record<string, number> = {};
    for (const node of nodes) {
      for (const [series, value] of await node.metrics()) {
        const match = /^(\w+)\{\w+="([^"]*)"\}$/.exec(series);
        if (match?.[1] === name && value > 0) found[match[2]] = (found[match[2]] ?? 0) + value;
      }
    }
    return found;
  }

  /** `{ '0': 3 }` of `[3, 0, 0]`. */
  function byQos(counts: readonly number[]): Record<string, number> {
    return Object.fromEntries([...counts.entries()].filter(([, count]) => count > 0).map(([qos, n]) => [`${qos}`, n]));
  }

  /** Resolves when two seconds have passed by the broker's clock. */
  async function twoSeconds(): Promise<void> {
    const waiting = await nodes[1].connect({ clientId: 'waits' });
    await waiting.subscribe('passed', 0);
    await tally.publish(waiting, { topic: '$delayed/2/passed', payload: '', qos: 0 });
    await tally.take(waiting, 1);
    await waiting.drop();
  }

  async function agrees(): Promise<void> {
    expect(await sums('dunlin_messages_received_total')).toEqual(byQos(tally.published));
    expect(await sums('dunlin_message_received_bytes_total')).toEqual(byQos(tally.publishedBytes));
    expect(await sums('dunlin_messages_sent_total')).toEqual(byQos(tally.received));
    expect(await sums('dunlin_messages_dropped_total')).toEqual(dropped);
  }

  test('QoS 0, 1 and 2 to subscribers at every node', { timeout }, async () => {
    for (const qos of [0, 1, 2] as const) {
      const subscribers = await Promise.all(
        nodes.map((node) => node.connect({ clientId: `live-${qos}-${node.name}` })),
      );
      for (const subscriber of subscribers) await subscriber.subscribe(`live/${qos}/#`, qos);
      await tally.publishMany(publisher, `live/${qos}/x`, qos, 50);
      for (const subscriber of subscribers) expect(await tally.take(subscriber, 50)).toHaveLength(50);
    }
    await agrees();
  });

  test('retained messages, sent to who comes later', { timeout }, async () => {
    await tally.publish(publisher, { topic: 'kept/a', payload: 'a', qos: 1, retain: true });
    await tally.publish(publisher, { topic: 'kept/b', payload: 'b', qos: 0, retain: true });
    drop('no-subscriber', 2);
    // Of QoS 0 nobody says when it is stored: it is there when a later one of the same client is.
    await tally.publish(publisher, { topic: 'kept/c', payload: 'c', qos: 1, retain: true });
    drop('no-subscriber', 1);
    const late = await nodes[2].connect({ clientId: 'late' });
    await late.subscribe('kept/#', 1);
    expect((await tally.take(late, 3)).sort()).toEqual(['a', 'b', 'c']);
    await late.expectNothing();
    await agrees();
  });

  test.each([0, 1] as const)('a shared group with a member at each node, QoS %s', { timeout }, async (qos) => {
    const members = await Promise.all(nodes.map((node) => node.connect({ clientId: `member-${qos}-${node.name}` })));
    for (const member of members) {
      await member.subscribe(`$share/group/jobs/${qos}`, qos);
      await member.subscribe(`end/${qos}`, qos);
    }
    await tally.publishMany(publisher, `jobs/${qos}`, qos, 30);
    await tally.publish(publisher, { topic: `end/${qos}`, payload: 'end', qos });
    let jobs = 0;
    for (const member of members) while ((await tally.take(member, 1))[0] !== 'end') jobs++;
    expect(jobs).toBe(30);
    await agrees();
  });

  test('nobody subscribes', { timeout }, async () => {
    await tally.publishMany(publisher, 'nobody/0', 0, 20);
    await tally.publishMany(publisher, 'nobody/1', 1, 5);
    await tally.publishMany(publisher, 'nobody/2', 2, 5);
    drop('no-subscriber', 30);
    await agrees();
  });

  test('a topic that clients may not publish to', { timeout }, async () => {
    await tally.publish(publisher, { topic: '$SYS/broker/uptime', payload: 'x', qos: 1 });
    drop('not-authorized', 1);
    await agrees();
  });

  test('larger than a subscriber takes', { timeout }, async () => {
    const small = await nodes[1].open();
    small.send(connectPacket({ clientId: 'small', properties: { maximumPacketSize: 100 } }));
    await small.expect('connack');
    await small.subscribe('large/#', 1);
    for (const qos of [0, 1] as const) {
      await tally.publish(publisher, { topic: 'large/x', payload: 'x'.repeat(200), qos });
      await tally.publish(publisher, { topic: 'large/x', payload: 'fits', qos });
      drop('packet-too-large', 1);
    }
    expect(await tally.take(small, 2)).toEqual(['fits', 'fits']);
    await agrees();
  });

  test('a window that is full, a queue that overflows, a client that leaves with messages waiting', {
    timeout,
  }, async () => {
    const slow = await nodes[2].connect({ clientId: 'slow', receiveMaximum: 1 });
    await slow.subscribe('slow', 1);
    await tally.publishMany(publisher, 'slow', 1, 1 + queuedMessagesMax + 3);
    drop('queue-full', 3);
    await tally.take(slow, 2);
    // The third is in flight and not acknowledged; three wait.
    await tally.takeOpen(slow);
    const metrics = await nodes[2].metrics();
    expect(metrics.get('dunlin_queue_messages{queue="session-window"}')).toBe(3);
    await slow.drop();
    drop('session-ended', 3);
    // It is gone when its subscription is.
    for (;;) {
      const left = await sums('dunlin_messages_dropped_total');
      if (left['session-ended'] === 3) break;
    }
    await agrees();
  });

  test('messages that expire in a queue, and in the log of a session that is not there', { timeout }, async () => {
    const expiring = { messageExpiryInterval: 1 };
    const session = { clientId: 'durable', cleanStart: false, sessionExpirySeconds: 3600 };
    const durable = await nodes[1].connect(session);
    await durable.subscribe('orders', 1);
    await durable.drop();
    const slow = await nodes[2].connect({ clientId: 'slow-again', receiveMaximum: 1 });
    await slow.subscribe('orders', 1);
    await tally.publish(publisher, { topic: 'orders', payload: '1', qos: 1 });
    await tally.publish(publisher, { topic: 'orders', payload: '2', qos: 1, properties: expiring });
    await tally.publish(publisher, { topic: 'orders', payload: '3', qos: 1 });
    const { packetId } = await tally.takeOpen(slow);
    await twoSeconds();
    slow.send(ackPacket('puback', packetId));
    expect(await tally.take(slow, 1)).toEqual(['3']);
    drop('expired', 1);
    const back = await nodes[0].connect(session);
    expect(await tally.take(back, 2)).toEqual(['1', '3']);
    drop('expired', 1);
    await agrees();
  });

  test('connections: how many there are, and why others have ended', { timeout }, async () => {
    const polite = await nodes[0].connect({ clientId: 'polite' });
    const twin = await nodes[1].connect({ clientId: 'twin' });
    polite.send({ type: 'disconnect', reasonCode: 0, properties: {} });
    await polite.untilClosed();
    await nodes[2].connect({ clientId: 'twin' });
    await twin.untilClosed();
    const rude = await nodes[0].connect({ clientId: 'rude' });
    rude.send(Buffer.from([0xf6, 0]));
    await rude.untilClosed();
    const counts = new Map<string, number>();
    for (const node of nodes) {
      for (const [series, value] of await node.metrics()) {
        const reason = /^dunlin_connections_closed_total\{.*reason="([^"]*)"/.exec(series)?.[1];
        if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + value);
      }
    }
    expect(counts.get('client-disconnect')).toBe(1);
    expect(counts.get('session-taken-over')).toBe(1);
    expect(counts.get('protocol-error')).toBe(1);
    // `slow`, the durable one and who waited for two seconds.
    expect(counts.get('connection-lost')).toBe(3);
  });
});
