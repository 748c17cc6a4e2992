import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PrometheusServer } from '../src/prometheus-server.ts';
import { alternativesOf, asGrafanaAsks, readAlerts, readDashboard, rulesFile, selectorsOf } from '../src/questions.ts';
import { BusyCluster } from './busy-cluster.ts';

// Every question of dashboard and alerts, asked of a real Prometheus that has watched a cluster in all that can happen to it.

/** Time-out on a busy machine; alone it takes half a minute. */
const timeoutMilliseconds = 180_000;
/** Time-out of a message that is to come. */
const patienceMilliseconds = 15_000;

/** Metrics that may stay 0 here, and why: everything else must have counted something. */
// biome-ignore format: a table
const quiet = new Map([
  ['Workers: {{instance}} replaced', 'no worker dies'],
  ['Shared groups: given back, dead letters: dead letters', 'no message is delivered in vain so often'],
  ['Logs read again: gaps', 'frames are lost whole, so what follows them is rarely there first'],
  ['Logs read again: idle logs found behind', 'a frame may arrive after all'],
  ['Routes: {{instance}} asked for all again', 'changes may be repeated before their loss is noticed'],
  ['Spans of traces: {{result}}', 'nothing is traced'],
  ['Unexpected errors: {{instance}}', 'there are none'],
  ['Packets received, other than PUBLISH: given up', 'no client resets its connection over what waits'],
  ['Wills published: late', 'no client that goes while the store is away has one'],
  ['Store has gone back: {{instance}}', 'Redis keeps what it has'],
  ['Connections refused: no open files left', 'a node may open as many as it needs'],
  ['Subscriptions refused, by reason: {{reason}}', 'no client has more than it may'],
  ['Audit records dropped: {{instance}}', 'nothing is audited'],
  ['Questions to the HTTP service: {{question}} {{result}}', 'no HTTP service is configured'],
  ['Duration of questions to the HTTP service: 99 %, {{question}}', 'no HTTP service is configured'],
  ['Workers that leave the HTTP service alone: {{question}}', 'no HTTP service is configured'],
  ['Wrong keys of the administration API: {{instance}}', 'nobody guesses keys'],
  ['Clients that came over a rate: {{direction}}', 'no rates are configured'],
  ['Messages between nodes refused: {{instance}} {{reason}}', 'all nodes have the same secret, or none'],
  ['Contested identifiers and messages that end connections: {{instance}} identifier contested', 'nobody has another client\'s'],
  ['Contested identifiers and messages that end connections: {{instance}} ended over the same message', 'no client fails'],
]);

let busy: BusyCluster;
let prometheus: PrometheusServer;

/** Waits until Prometheus has seen something of a metric at some node. */
function seen(metric: string, matcher = '', above = 0): Promise<unknown> {
  return prometheus.untilSome(`${metric}{job="dunlin"${matcher === '' ? '' : `,${matcher}`}} > ${above}`);
}

/** Waits until an alert is on its way; what it takes to fire is longer than a test. */
function raised(alert: string): Promise<unknown> {
  return prometheus.untilSome(`ALERTS{alertname="${alert}"}`);
}

/** Alerts about the state of nodes, none of which may be on its way while all is well. The others look back, or at how busy the machine is. */
const stateAlerts = [
  ...['DunlinNodeDown', 'DunlinGone', 'DunlinFewNodesReady', 'DunlinNodeNotReady', 'DunlinStoreUnreachable'],
  ...['DunlinStoreTakesNoWrites', 'DunlinStoreMayEvict', 'DunlinStoreCallsFail'],
  ...['DunlinBackplaneUnreachable', 'DunlinNodesApart', 'DunlinCertificateEnds', 'DunlinConnectionsNearLimit'],
  'DunlinOpenFilesNearLimit',
  ...['DunlinDrainStuck', 'DunlinVersionSkew'],
];

/** Waits until all nodes are ready and know each other, and no alert is left. */
async function allIsWell(): Promise<void> {
  await prometheus.untilSome('sum(dunlin_ready{job="dunlin"}) == 3');
  await prometheus.untilSome('count(dunlin_endpoints{job="dunlin"} == 2) == 3');
  await prometheus.rules();
  await prometheus.untilSome(`absent(ALERTS{alertname=~"${stateAlerts.join('|')}"})`);
}

const payload = Buffer.alloc(200, 'x');

async function exchangeMessages(): Promise<void> {
  const old = { protocolId: 'MQIsdp', protocolVersion: 3 } as const;
  const first = await busy.client(busy.url('a', 'tcp'), { ...old, clientId: 'old-subscriber' });
  await first.subscribeAsync('room/#', { qos: 2 });
  await busy.silentSubscriber(busy.url('b', 'ws'), { clientId: 'web-page', version: 4, filter: 'room/#', qos: 0 });
  const third = await busy.client(busy.url('c', 'tls'), { clientId: 'safe-subscriber' });
  await third.subscribeAsync('room/#', { qos: 2 });
  const { ports } = busy.cluster;
  const publisher = await busy.client(`mqtt://127.0.0.1:${ports.haproxy}`, { clientId: 'publisher' });
  await publisher.subscribeAsync('$share/group/shared/#', { qos: 1 });
  for (const qos of [0, 1, 2] as const) {
    for (let round = 0; round < 10; round++) await publisher.publishAsync(`room/${round}`, payload, { qos });
    await publisher.publishAsync('nobody/listens', payload, { qos });
  }
  await publisher.publishAsync('shared/1', payload, { qos: 1 });
  await publisher.publishAsync('room/kept', payload, { qos: 1, retain: true });
  await publisher.publishAsync('forbidden/topic', payload, { qos: 0 });
  await third.unsubscribeAsync('room/#');
}

async function leaveSessionsBehind(): Promise<void> {
  const options = { clientId: 'durable', clean: false, properties: { sessionExpiryInterval: 3600 } };
  const first = await busy.client(busy.url('a', 'tcp'), options);
  await first.subscribeAsync('orders/#', { qos: 1 });
  await first.subscribeAsync('$share/durable/jobs/#', { qos: 1 });
  await first.endAsync();
  const publisher = await busy.client(busy.url('b', 'tcp'), { clientId: 'order-publisher' });
  for (let round = 0; round < 20; round++) {
    await publisher.publishAsync(`orders/${round}`, payload, { qos: round % 2 === 0 ? 1 : 2 });
    await publisher.publishAsync(`jobs/${round}`, payload, { qos: 1 });
  }
  await seen('dunlin_sessions_stored');
  await seen('dunlin_messages_retained');
  await seen('dunlin_group_lag_messages');
  // A member that takes a message and leaves.
  const fleeting = { clientId: 'fleeting', version: 5, filter: '$share/durable/jobs/#', qos: 1 } as const;
  const member = await busy.silentSubscriber(busy.url('a', 'tcp'), fleeting);
  await member.expect('publish', patienceMilliseconds);
  await member.drop();
  await seen('dunlin_group_returned_messages_total');
  const second = await busy.client(busy.url('b', 'tcp'), options);
  await busy.client(busy.url('c', 'tcp'), options); // takes the session over
  await new Promise<void>((resolve) => (second.connected ? second.once('close', () => resolve()) : resolve()));
  // A session of a second, which ends; a will, which is published.
  const brief = { clientId: 'brief', clean: false, properties: { sessionExpiryInterval: 1 } };
  const will = { topic: 'room/will', payload, qos: 1, retain: false } as const;
  const dying = await busy.client(busy.url('c', 'tcp'), { ...brief, will });
  await dying.subscribeAsync('brief/#', { qos: 1 });
  dying.stream.destroy();
  await seen('dunlin_sessions_expired_total');
  await seen('dunlin_wills_published_total');
}

async function overfillQueue(): Promise<void> {
  const slow = { clientId: 'slow', version: 5, filter: 'flood', qos: 1 } as const;
  await busy.silentSubscriber(busy.url('a', 'tcp'), slow);
  const publisher = await busy.client(busy.url('a', 'tcp'), { clientId: 'flooder' });
  for (let round = 0; round < 20; round++) await publisher.publishAsync('flood', payload, { qos: 1 });
  await seen('dunlin_messages_dropped_total', 'reason="queue-full"');
  await seen('dunlin_queue_messages', 'queue="session-window"');
}

async function beRefused(): Promise<void> {
  const wrong = { password: 'a wrong password', clientId: 'stranger' };
  await expect(busy.client(busy.url('b', 'tls'), wrong)).rejects.toThrow(/[Nn]ot authorized/);
  const noTls = await busy.wire(busy.url('b', 'tls').replace('mqtts:', 'mqtt:'));
  noTls.send(Buffer.from('GET / HTTP/1.0\r\n\r\n'));
  const noProxy = await busy.wire(busy.url('b', 'proxied'));
  noProxy.send(Buffer.from('not a header of the PROXY protocol\r\n'));
  const noPacket = await busy.wire(busy.url('b', 'tcp'));
  noPacket.send(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
  await busy.wire(busy.url('b', 'single'));
  const second = await busy.wire(busy.url('b', 'single'));
  await Promise.all([noProxy, noPacket, second].map((wire) => wire.untilClosed()));
}

/** Node c hears nothing from the others, then loses NATS and finds it again. */
async function loseNats(): Promise<void> {
  const { links } = busy.node('c');
  const publisher = await busy.client(busy.url('a', 'tcp'), { clientId: 'far-publisher' });
  const subscriber = await busy.client(busy.url('c', 'tcp'), { clientId: 'far-subscriber' });
  await subscriber.subscribeAsync('far/#', { qos: 1 });
  links?.nats.freeze();
  const large = Buffer.alloc(20_000, 'y');
  const sent = Array.from({ length: 20 }, () => publisher.publishAsync('far/1', large, { qos: 1 }));
  await seen('dunlin_links_full');
  for (let round = 0; round < 20; round++) void publisher.publishAsync('far/0', large, { qos: 0 });
  const local = await busy.client(busy.url('a', 'tcp'), { clientId: 'late-subscriber' });
  await local.subscribeAsync('late/#', { qos: 1 });
  await seen('dunlin_route_confirm_timeouts_total');
  links?.nats.thaw();
  await Promise.all(sent);
  links?.nats.cut();
  await seen('dunlin_not_ready', 'reason="backplane"');
  await raised('DunlinBackplaneUnreachable');
  links?.nats.heal();
  await allIsWell();
}

/** Node b loses Redis and finds it again; what is published meanwhile waits. */
async function loseRedis(): Promise<void> {
  const { links } = busy.node('b');
  const publisher = await busy.client(busy.url('b', 'tcp'), { clientId: 'patient-publisher' });
  links?.redis.cut();
  await seen('dunlin_not_ready', 'reason="store"');
  await raised('DunlinStoreUnreachable');
  const sent = publisher.publishAsync('orders/late', payload, { qos: 1 });
  await seen('dunlin_queue_messages', 'queue="log-append"');
  links?.redis.heal();
  await sent;
  await allIsWell();
}

/** Node a is told to end, sends its clients away, and is started again. */
async function drain(): Promise<void> {
  for (let index = 0; index < 6; index++) await busy.client(busy.url('a', 'tcp'), { clientId: `drained-${index}` });
  const { program } = busy.node('a');
  const restarted = program.untilRestarted();
  program.signal('SIGTERM');
  await seen('dunlin_not_ready', 'reason="draining"');
  await seen('dunlin_drained_connections_total');
  await restarted;
  await allIsWell();
}

beforeAll(async () => {
  busy = await BusyCluster.start();
  prometheus = await PrometheusServer.start(busy.admins, [rulesFile]);
  await allIsWell();
  for (const phase of [exchangeMessages, leaveSessionsBehind, overfillQueue, beRefused, loseNats, loseRedis, drain]) {
    await phase();
  }
}, timeoutMilliseconds);

afterAll(async () => {
  await prometheus?.stop();
  await busy?.stop();
}, timeoutMilliseconds);

/** Every choice of series of a question gives some, and every value that it names is there. */
async function expectSeries(expr: string): Promise<void> {
  const selectors = selectorsOf(expr);
  expect(selectors.length, expr).toBeGreaterThan(0);
  for (const selector of selectors) {
    for (const text of [selector.text, ...alternativesOf(selector)]) {
      expect((await prometheus.query(text)).length, text).toBeGreaterThan(0);
    }
  }
}

const panels = readDashboard().panels.filter(({ type }) => type !== 'row');

describe('the dashboard', () => {
  test.each(panels.map((panel) => [panel.title, panel] as const))('%s', async (_, { title, targets = [] }) => {
    for (const { expr, legendFormat } of targets) {
      await expectSeries(asGrafanaAsks(expr));
      const series = await prometheus.history(asGrafanaAsks(expr));
      const values = series.flatMap((one) => one.values).filter((value) => Number.isFinite(value));
      expect(values.length, expr).toBeGreaterThan(0);
      const line = `${title}: ${legendFormat}`;
      if (!quiet.has(line))
        expect(
          values.some((value) => value !== 0),
          `${line} is 0 all the time`,
        ).toBe(true);
      const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
      for (const { labels } of series) expect(Object.keys(labels)).toEqual(expect.arrayContaining(named));
    }
  });

  test('has the lines that may stay 0', () => {
    const lines = panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ legendFormat }) => `${title}: ${legendFormat}`),
    );
    expect([...quiet.keys()].filter((line) => !lines.includes(line))).toEqual([]);
  });

  test('lets nodes be chosen', async () => {
    const series = await prometheus.query('up{job="dunlin"}');
    expect(series.map(({ labels }) => labels.instance).sort()).toEqual([...busy.admins].sort());
    const [{ targets = [] }] = panels;
    const [{ expr }] = targets;
    const two = busy.admins.slice(0, 2).map((name) => name.replaceAll('.', '\\\\.'));
    const [{ values }] = await prometheus.query(
      expr.replaceAll('$node', `(${two.join('|')})`).replaceAll(/\$(namespace|service)/g, '.*'),
    );
    expect(values).toEqual([2]);
  });
});

describe('the alerts', () => {
  test('about the state of nodes exist', () => {
    const names = readAlerts().map(({ alert }) => alert);
    expect(stateAlerts.filter((name) => !names.includes(name))).toEqual([]);
  });

  test('are all taken and evaluated without an error', async () => {
    const rules = await prometheus.rules();
    expect(rules.map(({ name }) => name)).toEqual(readAlerts().map(({ alert }) => alert));
    expect(rules.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => `${name}: ${lastError}`)).toEqual(
      [],
    );
  });

  test.each(readAlerts().map((rule) => [rule.alert, rule.expr] as const))(
    '%s looks at series that there are',
    async (_, expr) => {
      await expectSeries(expr);
    },
  );
});
