/** Bridges of a real Mosquitto to a real node, as their manual has them: with nothing set but where to and what. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ackPacket,
  type BrokerProcess,
  connectPacket,
  publishPacket,
  startDunlin,
  startMosquitto,
  subscribePacket,
  WireClient,
} from '@dunlin/testkit';
import { describe, expect, onTestFailed, onTestFinished, test } from 'vitest';

const state = '$SYS/broker/connection/home.bridge/state';

/** Retained at the node. It subscribes to this last: when it has it, it has all its subscriptions. */
const ready = 'ready';

/**
 * Time in which Mosquitto reconnects a bridge that is down: it looks every few seconds, whatever its `restart_timeout`.
 */
const reconnectMilliseconds = 20_000;

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'bridge-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function dunlin(dataDirectory: string, port?: number): Promise<BrokerProcess> {
  const broker = await startDunlin({ store: 'lmdb', dataDirectory, port });
  onTestFinished(() => broker.kill().then(() => undefined));
  return broker;
}

interface BridgeOptions {
  /** Value of `bridge_protocol_version`; without one, Mosquitto's default. */
  protocol?: 'mqttv31' | 'mqttv311' | 'mqttv50';
  dataDirectory?: string;
  port?: number;
}

/** A Mosquitto with a bridge to this port. It comes back within a second. */
async function bridged(to: number, topics: readonly string[], options: BridgeOptions = {}): Promise<BrokerProcess> {
  const { protocol, dataDirectory, port } = options;
  const broker = await startMosquitto({
    dataDirectory,
    port,
    configuration: [
      // Its bridges of MQTT 5 tell this as their Receive Maximum, and 0, which stands for any number here, is none there.
      'max_inflight_messages 1000',
      'connection home',
      `address 127.0.0.1:${to}`,
      'remote_clientid home.bridge',
      'restart_timeout 1',
      ...(protocol === undefined ? [] : [`bridge_protocol_version ${protocol}`]),
      ...topics.map((topic) => `topic ${topic}`),
      `topic ${ready} in 1`,
    ],
  });
  onTestFinished(() => broker.kill().then(() => undefined));
  onTestFailed(() => console.error(broker.output()));
  return broker;
}

async function client(url: string, clientId: string, expirySeconds = 0): Promise<WireClient> {
  const wire = await WireClient.open(url, 5);
  onTestFinished(() => wire.drop());
  const properties = expirySeconds > 0 ? { sessionExpiryInterval: expirySeconds } : {};
  wire.send(connectPacket({ cleanStart: false, clientId, properties }));
  await wire.expectPacket({ type: 'connack', reasonCode: 0 });
  return wire;
}

/** Subscribed as published: RETAIN tells live retained messages from others. */
async function watching(url: string, clientId: string, filters: string[], expirySeconds = 0): Promise<WireClient> {
  const wire = await client(url, clientId, expirySeconds);
  wire.send(subscribePacket(filters.map((filter) => ({ filter, qos: 2, retainAsPublished: true }))));
  await wire.expectAmong('suback');
  return wire;
}

interface Shown {
  topic: string;
  payload: string;
  qos: number;
  retain: boolean;
}

/** The next message, through its handshake. */
async function take(wire: WireClient): Promise<Shown> {
  const { topic, payload, qos, retain, packetId } = await wire.expectAmong('publish');
  if (qos === 1) wire.send(ackPacket('puback', packetId));
  if (qos === 2) {
    wire.send(ackPacket('pubrec', packetId));
    await wire.expectAmong('pubrel');
    wire.send(ackPacket('pubcomp', packetId));
  }
  return { topic, payload: payload.toString(), qos, retain };
}

/** Messages up to the one with this payload. */
async function takeUntil(wire: WireClient, payload: string): Promise<Shown[]> {
  const found: Shown[] = [];
  while (found.at(-1)?.payload !== payload) found.push(await take(wire));
  return found;
}

/** Published and acknowledged. */
async function give(wire: WireClient, { topic, payload, qos, retain }: Shown): Promise<void> {
  const packetId = qos > 0 ? 1 : 0;
  wire.send(publishPacket({ topic, payload, qos: qos as 0 | 1 | 2, retain, packetId }));
  if (qos === 1) await wire.expectAmong('puback');
  if (qos < 2) return;
  await wire.expectAmong('pubrec');
  wire.send(ackPacket('pubrel', packetId));
  await wire.expectAmong('pubcomp');
}

/** Resolves when the bridge is connected and all its subscriptions are in force. `mark`: another one each time. */
async function readiness(node: BrokerProcess, mosquitto: BrokerProcess, mark: string): Promise<void> {
  await give(await client(node.url, 'marker'), { topic: ready, payload: mark, qos: 1, retain: true });
  const wire = await watching(mosquitto.url, 'ready', [ready]);
  while ((await wire.expect('publish', reconnectMilliseconds)).payload.toString() !== mark);
  await wire.drop();
}

describe.each([undefined, 'mqttv31', 'mqttv311', 'mqttv50'] as const)('bridge_protocol_version %s', (protocol) => {
  test('in, out and both ways, with prefixes, RETAIN and every QoS, and no message twice', async () => {
    const node = await dunlin(await directory());
    const states = await watching(node.url, 'states', ['$SYS/broker/connection/+/state']);
    const there = await watching(node.url, 'there', ['up/#', 'down/#', 'both/#', 'site/#']);
    const topics = [
      'up/# out 2',
      'down/# in 2',
      'both/# both 2',
      '# out 2 home/ site/home/',
      '# in 2 office/ site/office/',
    ];
    const mosquitto = await bridged(node.port, topics, { protocol });
    await readiness(node, mosquitto, 'ready');
    expect(await take(states)).toMatchObject({ topic: state, payload: '1', retain: true });
    const here = await watching(mosquitto.url, 'here', ['up/#', 'down/#', 'both/#', 'home/#', 'office/#']);
    const [atHome, atSite] = [await client(mosquitto.url, 'a'), await client(node.url, 'b')];
    for (const qos of [0, 1, 2] as const)
      for (const retain of [false, true]) {
        const sent = { payload: `q${qos} ${retain}`, qos, retain };
        for (const topic of ['up/x', 'home/x', 'both/h']) await give(atHome, { topic, ...sent });
        for (const topic of ['down/x', 'site/office/x', 'both/s']) await give(atSite, { topic, ...sent });
        const shown = (topics: string[]): Shown[] => topics.map((topic) => ({ topic, ...sent }));
        expect(await taken(there, 6)).toEqual(
          shown(['both/h', 'both/s', 'down/x', 'site/home/x', 'site/office/x', 'up/x']),
        );
        expect(await taken(here, 6)).toEqual(shown(['both/h', 'both/s', 'down/x', 'home/x', 'office/x', 'up/x']));
      }
    // Nothing has come twice: what was sent last comes next.
    await give(atHome, { topic: 'both/end', payload: 'end', qos: 1, retain: false });
    expect((await take(there)).payload).toBe('end');
    expect((await take(here)).payload).toBe('end');
    await mosquitto.kill();
    expect(await take(states)).toMatchObject({ topic: state, payload: '0', retain: true });
  });
});

describe.each([undefined, 'mqttv50'] as const)('bridge_protocol_version %s', (protocol) => {
  test('either side starts again: what was published meanwhile comes once', async () => {
    const [nodeData, homeData] = [await directory(), await directory()];
    const node = await dunlin(nodeData);
    const topics = ['both/# both 2'];
    const options = { protocol, dataDirectory: homeData };
    const first = await bridged(node.port, topics, options);
    await readiness(node, first, 'first');
    const here = await watching(first.url, 'here', ['both/#']);
    const atHome = await client(first.url, 'a');
    await watching(node.url, 'there', ['both/#'], 3600);
    // The node goes. Mosquitto keeps what its bridge has not got rid of.
    await node.kill();
    for (const qos of [1, 2]) await give(atHome, { topic: 'both/h', payload: `away q${qos}`, qos, retain: false });
    const again = await dunlin(nodeData, node.port);
    await readiness(again, first, 'again');
    const there = await client(again.url, 'there', 3600);
    const atSite = await client(again.url, 'b');
    await give(atHome, { topic: 'both/h', payload: 'end', qos: 2, retain: false });
    const fromHome = ['away q1', 'away q2', 'end'];
    expect((await takeUntil(there, 'end')).map(({ payload }) => payload)).toEqual(fromHome);
    await give(atSite, { topic: 'both/s', payload: 'back', qos: 2, retain: false });
    expect((await takeUntil(here, 'back')).map(({ payload }) => payload)).toEqual([...fromHome, 'back']);
    // Mosquitto goes. The node keeps the bridge's session, where the bridge asks for one.
    await watching(first.url, 'here', ['both/#'], 3600);
    await first.stop();
    for (const qos of [1, 2]) await give(atSite, { topic: 'both/s', payload: `kept q${qos}`, qos, retain: false });
    const second = await bridged(node.port, topics, { ...options, port: first.port });
    await readiness(again, second, 'second');
    // At QoS 2, as a QoS 1 message passes those whose handshake is still on its way; not retained, as the bridge subscribes again.
    await give(atSite, { topic: 'both/s', payload: 'last', qos: 2, retain: false });
    const hereAgain = await client(second.url, 'here', 3600);
    const kept = protocol === 'mqttv50' ? [] : ['kept q1', 'kept q2'];
    expect((await takeUntil(hereAgain, 'last')).map(({ payload }) => payload)).toEqual([...kept, 'last']);
  }, 60_000);
});

/** Takes a number of messages and returns them by topic. */
async function taken(wire: WireClient, count: number): Promise<Shown[]> {
  const found: Shown[] = [];
  while (found.length < count) found.push(await take(wire));
  return found.sort((a, b) => (a.topic < b.topic ? -1 : 1));
}
