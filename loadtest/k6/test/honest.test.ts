import {
  type BrokerProcess,
  connectPacket,
  type PacketOf,
  startMosquitto,
  subscribePacket,
  WireClient,
} from '@dunlin/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countOf, reportOf, runLoad, startLoad } from './load-command.ts';

// What goes wrong must show: a third client takes messages away, or sends them once more. The broker is Mosquitto, which also shows that
// nothing here is made for one broker alone.

const timeout = 60_000;
/** A member of the shared subscription other than those of the run steals for as long as this many messages. */
const stolenMessages = 5;

let broker: BrokerProcess;

beforeAll(async () => {
  broker = await startMosquitto();
});

afterAll(() => broker.stop());

/** A client in between, which hears everything below the prefix and not what it publishes itself. */
async function eavesdropper(prefix: string): Promise<WireClient> {
  const wire = await WireClient.open(broker.url, 5);
  wire.send(connectPacket({ clientId: prefix }));
  await wire.expect('connack');
  await subscribe(wire, `${prefix}/#`, 1);
  return wire;
}

async function subscribe(wire: WireClient, filter: string, packetId: number): Promise<void> {
  wire.send(subscribePacket({ filter, noLocal: !filter.startsWith('$share/') }, packetId));
  await wire.expect('suback');
}

function variables(prefix: string, further: Record<string, string> = {}): Record<string, string> {
  const load = { DURATION_SECONDS: '2', RATE: '20', TIMEOUT_SECONDS: '1' };
  return { BROKER_URL: broker.webSocketUrl ?? '', TOPIC_PREFIX: prefix, ...load, ...further };
}

test('messages that come again are counted, and fail the run', { timeout }, async () => {
  const wire = await eavesdropper('doubled');
  const running = runLoad(['point-to-point', '--quiet'], variables('doubled', { PAIRS: '1', QOS: '0' }));
  const message = (await wire.expect('publish', timeout)) as PacketOf<'publish'>;
  wire.send(message);
  const result = await running;
  await wire.drop();
  const report = reportOf(result, 'point-to-point');
  expect(countOf(report, 'mqtt_messages_doubled')).toBe(1);
  expect(countOf(report, 'mqtt_messages_lost')).toBe(0);
  expect(countOf(report, 'mqtt_messages_received')).toBe(countOf(report, 'mqtt_messages_sent') + 1);
  expect(report.thresholds.filter(({ isMet }) => !isMet).map(({ metric }) => metric)).toEqual([
    'mqtt_messages_doubled',
  ]);
  expect(result.code).toBe(99);
});

test('messages that do not come are counted, and fail the run', { timeout }, async () => {
  const wire = await eavesdropper('lost');
  const running = runLoad(['shared', '--quiet'], variables('lost', { PUBLISHERS: '1', SUBSCRIBERS: '1', QOS: '0' }));
  const { topic } = await wire.expect('publish', timeout);
  await subscribe(wire, `$share/members/${topic.replace(/[^/]*$/, '+')}`, 2);
  const seen = new Map<string, number>();
  let stolen = 0;
  // What comes twice came to the eavesdropper as such and as a member.
  while (stolen < stolenMessages) {
    const { payload } = await wire.expect('publish', timeout);
    const stamp = payload.toString('hex');
    seen.set(stamp, (seen.get(stamp) ?? 0) + 1);
    if (seen.get(stamp) === 2) stolen++;
  }
  const result = await running;
  await wire.drop();
  const report = reportOf(result, 'shared');
  expect(countOf(report, 'mqtt_messages_lost')).toBeGreaterThanOrEqual(stolenMessages);
  const { count: timed } = report.trends.find(({ metric }) => metric === 'mqtt_latency') ?? { count: 0 };
  expect(timed + countOf(report, 'mqtt_messages_lost')).toBe(countOf(report, 'mqtt_messages_sent'));
  expect(report.thresholds.filter(({ isMet }) => !isMet).map(({ metric }) => metric)).toEqual(['mqtt_messages_lost']);
  expect(result.code).toBe(99);
});

test('MQTT 3.1.1, QoS 2, several groups', { timeout }, async () => {
  const further = { MQTT_VERSION: '3.1.1', QOS: '2', VUS: '2', PAIRS: '2' };
  const result = await runLoad(['point-to-point', '--quiet'], variables('quality', further));
  expect(result.errors).toBe('');
  expect(result.code).toBe(0);
  const report = reportOf(result, 'point-to-point');
  expect(countOf(report, 'mqtt_groups_finished')).toBe(2);
  expect(countOf(report, 'mqtt_connections_opened')).toBe(8);
  expect(countOf(report, 'mqtt_messages_received')).toBe(countOf(report, 'mqtt_messages_sent'));
  expect(countOf(report, 'mqtt_messages_sent')).toBeGreaterThan(2 * 2 * 20);
  const timed = Object.fromEntries(report.trends.map(({ metric, count }) => [metric, count]));
  expect(timed.mqtt_acknowledge_time).toBe(countOf(report, 'mqtt_messages_sent'));
});

test('MQTT 3.1.1, QoS 2: sessions outlive their connections', { timeout }, async () => {
  const further = { MQTT_VERSION: '3.1.1', QOS: '2', SUBSCRIBERS: '5', RATE: '100', STORM_EVERY_SECONDS: '0.5' };
  const result = await runLoad(['reconnect-storm', '--quiet'], variables('sessions', further));
  expect(result.errors).toBe('');
  expect(result.code).toBe(0);
  const report = reportOf(result, 'reconnect-storm');
  expect(countOf(report, 'mqtt_messages_received')).toBe(countOf(report, 'mqtt_messages_sent'));
  const storms = report.trends.find(({ metric }) => metric === 'mqtt_catch_up_time')?.count ?? 0;
  expect(storms).toBeGreaterThanOrEqual(5);
  expect(storms % 5).toBe(0);
});

test('a run that is stopped still has its report, and has not passed', { timeout }, async () => {
  const wire = await eavesdropper('stopped');
  const load = await startLoad(['point-to-point', '--quiet'], variables('stopped', { DURATION_SECONDS: '600' }));
  await wire.expect('publish', timeout);
  load.kill('SIGTERM');
  const result = await load.ended;
  await wire.drop();
  const report = reportOf(result, 'point-to-point');
  expect(countOf(report, 'mqtt_messages_sent')).toBeGreaterThan(0);
  expect(countOf(report, 'mqtt_groups_finished')).toBe(0);
  expect(report.isPassed).toBe(false);
  expect(result.code).not.toBe(0);
});
