/** `$SYS/broker/…` and `$SYS/cluster/…`. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Client, connect, publish } from './support/client.ts';
import { World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;
const limits = { sysIntervalSeconds: 10 };

/** The values that a new subscription is given, by the rest of their topic. */
async function values(client: Client, prefix = '$SYS/broker/'): Promise<Map<string, string>> {
  client.transport.remoteAddress = '127.0.0.1:1883';
  await client.subscribe(`${prefix}#`, 0);
  const found = new Map<string, string>();
  for (const packet of client.received())
    if (packet.type === 'publish') found.set(packet.topic.slice(prefix.length), packet.payload.toString());
  return found;
}

/**
 * Topics of Mosquitto that we lack: those about bridges, its log, the heap of its process, and bytes of a store that is
 * not ours to weigh.
 */
const others = /^(connection|log|heap)\/|^store\/messages\/bytes$/;

describe('$SYS', () => {
  test('the names are those in the program of Mosquitto', async () => {
    const program = readFileSync(process.env.MOSQUITTO ?? '/usr/sbin/mosquitto', 'latin1');
    const theirs = [...program.matchAll(/\$SYS\/broker\/([a-z0-9_/ ]+)\0/gi)].map((match) => match[1]);
    expect(theirs.length).toBeGreaterThan(40);
    const { worker } = await World.alone();
    const ours = [...(await values(await worker.connect('c'))).keys()];
    expect(theirs.filter((name) => !others.test(name)).sort()).toEqual(ours.sort());
  });

  test('counts over all workers of the node', async () => {
    const { world, workers } = await World.of(2, { limits });
    const [a, b] = workers;
    const publisher = await a.connect('publisher');
    const subscriber = await b.connect('subscriber');
    await subscriber.subscribe('x', 0);
    await subscriber.subscribe('$share/g/y', 0);
    const gone = await b.connect('gone', durable);
    await gone.subscribe('z', 1);
    await gone.drop();
    for (let i = 0; i < 3; i++) await publisher.send(publish('x', '1'));
    await publisher.send(publish('kept', '1', 1, 1, { retain: true }));
    // Twice: what the leader counts in the store is told at the next.
    await world.clock.pass(20_000);
    const told = await values(publisher);
    expect(Object.fromEntries(told)).toMatchObject({
      'clients/connected': '2',
      'clients/active': '2',
      'clients/disconnected': '1',
      'clients/inactive': '1',
      'clients/total': '3',
      'clients/maximum': '2',
      'clients/expired': '0',
      'publish/messages/received': '4',
      'publish/messages/sent': '3',
      'publish/messages/dropped': '0',
      'subscriptions/count': '3',
      'shared_subscriptions/count': '1',
      'retained messages/count': '1',
      'messages/stored': '1',
      version: 'dunlin version 0',
      uptime: '20 seconds',
    });
    // 3 CONNECTs, 3 SUBSCRIBEs and 4 PUBLISHes were there before this one's SUBSCRIBE.
    expect(told.get('messages/received')).toBe('11');
    const cluster = await values(subscriber, '$SYS/cluster/');
    expect(cluster.get('clients/total')).toBe('3');
    expect(cluster.has('uptime')).toBe(false);
  });

  /** Seen to fail with whole packets counted. */
  test('bytes of messages are those of their payloads, as in Mosquitto, however they travel', async () => {
    const { world, workers } = await World.of(2, { limits });
    const [a, b] = workers;
    const publisher = await a.connect('publisher');
    const subscribers = [
      await a.connect('here'),
      await a.connect('older', { version: 4 }),
      await b.connect('there'),
      await b.connect('few', { properties: { receiveMaximum: 2 } }),
    ];
    for (const subscriber of subscribers) await subscriber.subscribe('x', 1);
    // A batch of QoS 0 in one chunk, and one of QoS 1, of which one subscriber's window takes two.
    await publisher.send(...Array.from({ length: 3 }, () => publish('x', 'four')));
    await publisher.send(...Array.from({ length: 3 }, (_, i) => publish('x', 'seventh', 1, i + 1)));
    await publisher.send(publish('x', 'z', 0, 0, { properties: { userProperties: [['a', 'b']] } }));
    await publisher.send(publish('nobody', '12345678'));
    await world.clock.pass(10_000);
    // Before this subscription is answered, in which these are sent as well.
    const told = await values(await a.connect('observer'));
    expect(told.get('publish/bytes/received')).toBe(String(3 * 4 + 3 * 7 + 1 + 8));
    expect(told.get('publish/bytes/sent')).toBe(String(4 * (3 * 4 + 1) + (3 * 3 + 2) * 7));
  });

  test('loads are averages a minute, of which the newest counts most', async () => {
    const { world, worker } = await World.alone({ limits });
    const publisher = await worker.connect('publisher');
    await world.clock.pass(10_000);
    for (let i = 0; i < 10; i++) await publisher.send(publish('x', '1'));
    await world.clock.pass(10_000);
    const told = await values(publisher);
    // Ten in ten seconds are 60 a minute.
    for (const minutes of [1, 5, 15]) {
      const expected = 60 * (1 - Math.exp(-10 / (60 * minutes)));
      expect(told.get(`load/publish/received/${minutes}min`)).toBe(expected.toFixed(2));
    }
    await world.clock.pass(60_000);
    expect(Number((await values(publisher)).get('load/publish/received/1min'))).toBeLessThan(4);
  });

  test('subscribers hear of it every few seconds, RETAIN only at first', async () => {
    const { world, worker } = await World.alone({ limits });
    const client = await worker.connect('c');
    client.transport.remoteAddress = '[::1]:1883';
    await client.subscribe('$SYS/broker/uptime', 0);
    expect(client.said()).toEqual(['publish $SYS/broker/uptime 0 seconds q0 retain']);
    await world.clock.pass(10_000);
    expect(client.said()).toEqual(['publish $SYS/broker/uptime 10 seconds q0']);
  });

  test.each([
    ['192.0.2.1:1883', '$SYS/#', [0x87]],
    ['[2001:db8::1]:1883', '$SYS/broker/version', [0x87]],
    ['192.0.2.1:1883', '$share/g/$SYS/#', [0x87]],
    ['192.0.2.1:1883', '$SYSTEM/a', [0]],
    ['192.0.2.1:1883', '#', [0]],
    ['127.0.0.1:1883', '$SYS/#', [0]],
    ['[::ffff:127.0.0.1]:1883', '$SYS/#', [0]],
    ['unix', '$SYS/#', [0]],
  ])('where there are no rules, %s may subscribe to %s: %o', async (address, filter, codes) => {
    const { worker } = await World.alone({ limits });
    const client = await worker.connect('c');
    client.transport.remoteAddress = address;
    expect(await client.subscribe(filter, 0)).toEqual(codes);
  });

  test('a session that subscribed here gets nothing of it where it is resumed from another machine, until it is here again', async () => {
    const { world, worker } = await World.alone({ limits });
    const resume = async (address: string) => {
      const client = worker.socket(5, address);
      await client.send(connect('c', durable));
      client.one('connack');
      await world.clock.pass(10_000);
      const said = client.said();
      await client.drop();
      return said;
    };
    const first = worker.socket(5, '127.0.0.1:1883');
    await first.send(connect('c', durable));
    await first.subscribe('$SYS/broker/uptime', 1);
    await first.subscribe('$share/g/$SYS/broker/version', 1);
    await first.drop();
    expect(await resume('192.0.2.1:1883')).toEqual([]);
    expect(await resume('127.0.0.1:1883')).toEqual(['publish $SYS/broker/uptime 20 seconds q0']);
    expect(await resume('[2001:db8::1]:1883')).toEqual([]);
  });
});
