import { randomBytes } from 'node:crypto';
import { ackPacket, type Conversation, publishPacket } from '@dunlin/testkit';
import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { type CollectedSpan, SpanCollector } from './span-collector.ts';

const timeout = 60_000;
/** Kinds of spans as OTLP numbers them. */
const kinds = { producer: 4, consumer: 5 };
const parentSpanId = 'b7ad6b7169203331';

/** A new trace, as its publisher would write it. */
function newTrace(): { traceId: string; userProperties: [string, string][] } {
  const traceId = randomBytes(16).toString('hex');
  return {
    traceId,
    userProperties: [
      ['traceparent', `00-${traceId}-${parentSpanId}-01`],
      ['room', '7'],
    ],
  };
}

async function publishTraced(wire: Conversation, qos: 1 | 2, userProperties: [string, string][]): Promise<void> {
  wire.send(publishPacket({ topic: 'orders/7', payload: 'hello', qos, packetId: qos, properties: { userProperties } }));
  await wire.expect(qos === 1 ? 'puback' : 'pubrec', 15_000);
  if (qos === 1) return;
  wire.send(ackPacket('pubrel', qos));
  await wire.expect('pubcomp', 15_000);
}

/** `publish at a of b7ad6b7169203331` and, a step in, what has it as parent. */
function tree(spans: readonly CollectedSpan[], parent: string, indent = ''): string[] {
  return spans
    .filter((span) => span.parentSpanId === parent)
    .flatMap(({ name, resource, attributes, spanId }) => [
      `${indent}${name} at ${resource['dunlin.node']} ${attributes['messaging.client.id']}`,
      ...tree(spans, spanId, `${indent}  `),
    ]);
}

describe('a publish on node a', () => {
  test('is one tree: delivered on node b live, and to a durable session after it was away', { timeout }, async () => {
    await using collector = await SpanCollector.start();
    const environment = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      // Who has not decided is not traced; who has, is followed.
      OTEL_TRACES_SAMPLER: 'parentbased_always_off',
      OTEL_SERVICE_NAME: 'orders-broker',
    };
    await using cluster = await Cluster.start({ nodes: 2, workers: 2, environment });
    const [a, b] = cluster.nodes;
    const session = { clientId: 'durable', cleanStart: false, sessionExpirySeconds: 3600 };
    const durable = await a.connect(session);
    await durable.subscribe('orders/#', 2);
    await durable.drop();
    const live = await b.connect({ clientId: 'live' });
    await live.subscribe('orders/+', 2);
    const publisher = await a.connect({ clientId: 'publisher' });
    for (const qos of [1, 2] as const) {
      const { traceId, userProperties } = newTrace();
      await publishTraced(publisher, qos, userProperties);
      const [message] = await live.receive((received) => received.length === 1);
      expect(message.properties).toEqual({ userProperties });
      const early = await collector.trace(traceId, 2);
      expect(tree(early, parentSpanId)).toEqual(['publish at a publisher', '  deliver at b live']);
      const back = await b.connect(session);
      const [late] = await back.receive((received) => received.length === 1);
      expect(late.properties).toEqual({ userProperties });
      await back.drop();
      const whole = await collector.trace(traceId, 3);
      expect(tree(whole, parentSpanId)).toEqual([
        'publish at a publisher',
        '  deliver at b live',
        '  deliver at b durable',
      ]);
      const [publish, deliver] = ['publish', 'deliver'].map((name) => whole.find((span) => span.name === name));
      // In the conventions `receive` is of who asks for messages, and a CLIENT's.
      expect(publish?.kind).toBe(kinds.consumer);
      expect(publish?.attributes).toMatchObject({ 'messaging.operation.type': 'process' });
      expect(deliver?.kind).toBe(kinds.producer);
      expect(publish?.resource).toMatchObject({
        'service.name': 'orders-broker',
        'service.version': expect.any(String),
      });
      expect(deliver?.attributes).toMatchObject({
        'messaging.system': 'mqtt',
        'messaging.operation.type': 'send',
        'messaging.destination.name': 'orders/7',
      });
      for (const span of whole) expect(span.endedAt).toBeGreaterThanOrEqual(span.startedAt);
    }
    // Nobody else has begun one.
    expect(new Set(collector.spans.map(({ traceId }) => traceId)).size).toBe(2);
  });

  test('whose publisher knows nothing of traces is a root, sent as protobuf by default', { timeout }, async () => {
    await using collector = await SpanCollector.start();
    const more = ['--set', `tracing.endpoint=${collector.url}`, '--set', 'tracing.sampledPerMillion=1000000'];
    more.push('--set', 'tracing.writeContext=true');
    await using cluster = await Cluster.start({
      nodes: 2,
      arguments: more,
      environment: { OTEL_BSP_SCHEDULE_DELAY: '50' },
    });
    const [a, b] = cluster.nodes;
    const subscriber = await b.connect({ clientId: 'subscriber' });
    await subscriber.subscribe('orders/#', 1);
    await publishTraced(await a.connect({ clientId: 'publisher' }), 1, []);
    const [message] = await subscriber.receive((received) => received.length === 1);
    const [[name, context]] = message.properties.userProperties ?? [];
    expect(name).toBe('traceparent');
    const [, traceId, spanId] = context.split('-');
    const has = (hex: string): boolean => collector.others.some(({ body }) => body.includes(Buffer.from(hex, 'hex')));
    // Its own span, in the trace that the other node began.
    await collector.until(() => has(spanId) && has(traceId) && collector.others.length >= 2);
    expect(new Set(collector.others.map(({ contentType }) => contentType))).toEqual(
      new Set(['application/x-protobuf']),
    );
    expect(collector.others.filter(({ body }) => body.includes(Buffer.from(traceId, 'hex')))).toHaveLength(2);
  });
});
