import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { subscribePacket } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Dunlin, run, startBroker } from '../command.ts';
import { answerTo, enter, leave, message, publish, subscribe } from './entering.ts';

const rules = `
- deny: all
  topics: secret/#
- allow: all
  user: ann
  topics: '#'
- allow: all
  user: bob
  topics: [own/%u/#, device/%c, from/bob]
- allow: subscribe
  anonymous: true
  topics: public/#
`;

let directory: string;
let file: string;
let broker: Dunlin;
let url: string;
const ann = { clientId: 'a', userName: 'ann', password: 'a' };
const bob = { clientId: 'b', userName: 'bob', password: 'b' };

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-rules-'));
  file = join(directory, 'rules.yaml');
  writeFileSync(file, rules);
  const users = join(directory, 'users');
  await run(['passwd', '-c', '-b', users, 'ann', 'a']);
  await run(['passwd', '-b', users, 'bob', 'b']);
  const config = join(directory, 'dunlin.yaml');
  writeFileSync(config, 'listeners:\n  - { url: "tcp://127.0.0.1:0", allowAnonymous: true }\n');
  broker = new Dunlin([
    ...['start', '--config', config, '--store', 'memory', '--workers', '2'],
    ...['--password-file', users, '--rules-file', file],
  ]);
  await broker.until('"event":"node.started"');
  const ready = broker.log().find((line) => line.event === 'node.started') as { listeners: string[] };
  url = ready.listeners[0].replace('tcp:', 'mqtt:');
});
afterAll(async () => {
  await leave();
  broker.child.kill('SIGKILL');
  await broker.finished;
  rmSync(directory, { recursive: true });
});

const denied = 0x87;

describe('rules, over MQTT', () => {
  test('subscriptions: wildcards and $share get around nothing', async () => {
    const wire = await enter(url, ann);
    for (const filter of [
      '#',
      '+/#',
      'secret/#',
      'secret/+',
      'secret',
      '+/x',
      '$share/g/#',
      '$share/g/secret/x',
      '$SYS/#',
    ])
      expect(await subscribe(wire, filter), filter).toBe(denied);
    for (const filter of ['a/#', '$share/g/a/b', 'x']) expect(await subscribe(wire, filter, 1), filter).toBe(1);
  });

  test('a filter is told apart from its neighbours in one SUBSCRIBE, and MQTT 3 hears 0x80', async () => {
    const wire = await enter(url, { ...ann, version: 4 });
    wire.send(subscribePacket(['a', 'secret', 'b'].map((filter) => ({ filter, qos: 1 }))));
    expect((await wire.expect('suback')).reasonCodes).toEqual([1, 0x80, 1]);
  });

  test('publishes, also delayed, retained and to $SYS', async () => {
    const wire = await enter(url, ann);
    expect(await publish(wire, 'secret/x')).toBe(denied);
    expect(await publish(wire, '$delayed/1/secret/x')).toBe(denied);
    expect(await publish(wire, 'secret/x', 'kept', true)).toBe(denied);
    expect(await publish(wire, '$SYS/broker/uptime')).toBe(denied);
    expect(await publish(wire, 'open')).not.toBe(denied);
  });

  test('wills', async () => {
    expect(await answerTo(url, { ...ann, will: 'secret/x' })).toBe(denied);
    expect(await answerTo(url, { ...ann, will: 'secret/x', version: 4 })).toBe(5);
    expect(await answerTo(url, { ...ann, will: '$SYS/x' })).toBe(denied);
    expect(await answerTo(url, { ...ann, will: 'fine' })).toBe(0);
  });

  test('%u and %c', async () => {
    const wire = await enter(url, bob);
    expect(await subscribe(wire, 'own/bob/#')).toBe(0);
    expect(await subscribe(wire, 'own/ann/#')).toBe(denied);
    expect(await subscribe(wire, 'own/+')).toBe(denied);
    expect(await publish(wire, 'device/b')).not.toBe(denied);
    expect(await publish(wire, 'device/a')).toBe(denied);
    for (const clientId of ['+', '#', 'a/b', '$SYS']) {
      const evil = await enter(url, { ...bob, clientId });
      expect(await subscribe(evil, 'device/+'), clientId).toBe(denied);
      expect(await subscribe(evil, `device/${clientId}`), clientId).toBe(denied);
      expect(await publish(evil, 'device/a'), clientId).toBe(denied);
    }
  });

  test('an anonymous client may do what is stated, whatever it calls itself', async () => {
    const wire = await enter(url, { clientId: 'nobody' });
    expect(await subscribe(wire, 'public/#')).toBe(0);
    expect(await subscribe(wire, 'open')).toBe(denied);
    expect(await publish(wire, 'public/x')).toBe(denied);
    expect(await answerTo(url, { userName: 'ann' })).toBe(denied);
  });

  test('a fast publisher of QoS 0 is held to them packet by packet', async () => {
    const subscriber = await enter(url, { ...ann, clientId: 'watching' });
    await subscribe(subscriber, 'from/#');
    const wire = await enter(url, { ...bob, clientId: 'fast' });
    const topics = ['from/bob', 'from/bob', 'from/ann', 'from/ann', 'from/bob'];
    wire.send(...topics.map((topic, i) => message(topic, String(i))));
    for (const payload of ['0', '1', '4']) {
      const received = await subscriber.expect('publish');
      expect(`${received.topic} ${received.payload}`).toBe(`from/bob ${payload}`);
    }
  });

  test('SIGHUP: new rules hold for connected clients, and for their subscriptions', async () => {
    const subscriber = await enter(url, { ...ann, clientId: 'staying' });
    await subscribe(subscriber, 'open/x');
    await subscribe(subscriber, 'kept');
    const publisher = await enter(url, { ...ann, clientId: 'publishing' });
    expect(await publish(publisher, 'open/x', 'before')).not.toBe(denied);
    expect(String((await subscriber.expect('publish')).payload)).toBe('before');
    writeFileSync(file, `- {deny: subscribe, topics: open/#}\n- {deny: publish, topics: gone}\n${rules}`);
    broker.child.kill('SIGHUP');
    await broker.until('"event":"subscription.suspended"');
    expect(await publish(publisher, 'gone')).toBe(denied);
    await publish(publisher, 'open/x', 'after');
    await publish(publisher, 'kept', 'still');
    expect(String((await subscriber.expect('publish')).payload)).toBe('still');
    writeFileSync(file, '- {allow: everything}\n');
    broker.child.kill('SIGHUP');
    await broker.until('rules.yaml:1:11: allow: one of publish, subscribe, all');
    expect(await publish(publisher, 'gone')).toBe(denied);
  });
});

test('a denied publish that cannot be told of disconnects, if so configured', async () => {
  const strict = join(directory, 'strict.yaml');
  writeFileSync(strict, '- {deny: all, anonymous: true, topics: "#"}\n');
  const started = await startBroker([
    ...['--workers', '1', '--rules-file', strict, '--set', 'authorization.deniedPublish=disconnect'],
  ]);
  const wire = await enter(`mqtt://127.0.0.1:${started.port}`, {});
  wire.send(message('a'));
  await wire.expectPacket({ type: 'disconnect', reasonCode: denied });
  started.broker.child.kill('SIGKILL');
  await started.broker.finished;
});
