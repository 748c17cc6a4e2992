/**
 * Packets that were received are not dropped because of later ones. Seen to fail, with what a closed connection still
 * held thrown away: of ten or twenty messages 0 to 13 arrived in the rows below; and with SUBSCRIBE not waited for: no
 * subscription, no own message.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Packet, ProtocolVersion } from '@dunlin/protocol';
import {
  ackPacket,
  Conversation,
  connectPacket,
  disconnectPacket,
  publishPacket,
  subscribePacket,
  TestAuthority,
} from '@dunlin/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Dunlin, run, startBroker } from '../command.ts';
import { sayAndGo, together } from './one-shot.ts';

const count = 20;
let directory: string;
let authority: TestAuthority;
let users: string;
let broker: Dunlin | null = null;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-order-'));
  authority = await TestAuthority.make();
  users = join(directory, 'users');
  for (let at = 0; at < 3; at++)
    await run(['passwd', ...(at === 0 ? ['-c'] : []), '-b', users, `user-${at}`, 'a long password']);
});
afterEach(async () => {
  broker?.child.kill('SIGTERM');
  await broker?.finished;
  broker = null;
});
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await authority.remove();
});

/** Starts a broker; its URLs by scheme. */
async function start(words: readonly string[]): Promise<(scheme: string) => string> {
  const data = words.includes('lmdb') ? ['--data', mkdtempSync(join(directory, 'data-'))] : [];
  const started = await startBroker([...words, ...data]);
  broker = started.broker;
  const { listeners } = broker.log().find(({ event }) => event === 'node.started') as { listeners: string[] };
  return (scheme) => {
    const found = listeners.find((url) => url.startsWith(`${scheme}:`)) as string;
    return found
      .replace(/^tcp:/, 'mqtt:')
      .replace(/^tls:/, 'mqtts:')
      .replace('127.0.0.1', 'localhost')
      .replace('mqtt://localhost', 'mqtt://127.0.0.1');
  };
}

interface Sign {
  userName: string;
  password: Buffer;
}

function hello(version: ProtocolVersion, clientId: string, cleanStart: boolean, sign: Sign | null = null): Packet {
  const properties = version === 5 && !cleanStart ? { sessionExpiryInterval: 3600 } : {};
  return connectPacket({ version, cleanStart, keepAliveSeconds: 60, clientId, ...sign, properties });
}

function message(topic: string, payload: string, qos: 0 | 1 | 2): Packet {
  return publishPacket({ topic, payload, qos, packetId: qos === 0 ? 0 : 7 });
}

const goodbye = disconnectPacket();

/** Twenty clients say everything at once, three of four versions and all QoS among them; each message arrives. */
async function allArrive(
  url: string,
  watched: string,
  cleanStart: boolean,
  sign: (at: number) => Sign | null = () => null,
) {
  const watcher = await Conversation.open(watched, 5);
  const first = sign(0);
  watcher.send(hello(5, 'watcher', true, first));
  await watcher.expectPacket({ type: 'connack', reasonCode: 0 });
  await watcher.subscribe('shot/#', 1);
  await Promise.all(
    Array.from({ length: count }, (_, at) => {
      const version = ([3, 4, 5] as const)[at % 3];
      const packets = [
        hello(version, `shot-${at}`, cleanStart, sign(at)),
        message('shot/x', String(at), (at % 3) as 0 | 1 | 2),
      ];
      if (at % 2 === 0) packets.push(goodbye);
      return sayAndGo(url, together(version, packets), authority.ca);
    }),
  );
  const texts: string[] = [];
  while (texts.length < count) {
    const packet = await watcher.expectPacket({ type: 'publish' }, 10_000);
    texts.push(packet.payload.toString());
    if (packet.qos === 1) watcher.send(ackPacket('puback', packet.packetId));
  }
  expect(texts.sort()).toEqual(Array.from({ length: count }, (_, at) => String(at)).sort());
  await watcher.drop();
}

describe('CONNECT, PUBLISH and the end of the connection in one piece', () => {
  test.each([
    ['memory, 1 worker, clean', ['--workers', '1'], true],
    ['memory, 2 workers, clean', ['--workers', '2'], true],
    ['memory, 2 workers, sessions kept', ['--workers', '2'], false],
    ['LMDB, clean', ['--workers', '1', '--store', 'lmdb'], true],
    ['LMDB, sessions kept', ['--workers', '2', '--store', 'lmdb'], false],
  ] as const)('%s', async (_title, words, cleanStart) => {
    const urlOf = await start(words);
    await allArrive(urlOf('tcp'), urlOf('tcp'), cleanStart);
  });

  test('while the password is being checked', async () => {
    const urlOf = await start(['--workers', '2', '--password-file', users]);
    const password = Buffer.from('a long password');
    await allArrive(urlOf('tcp'), urlOf('tcp'), true, (at) => ({ userName: `user-${at % 3}`, password }));
  });

  test.each(['tls', 'ws', 'wss'])('over %s', async (scheme) => {
    const { cert, key } = await authority.issue('localhost');
    const secure = scheme === 'ws' ? '' : `?cert=${cert}&key=${key}`;
    const path = scheme === 'tls' ? '' : '/mqtt';
    const urlOf = await start(['--workers', '2', '--listener', `${scheme}://127.0.0.1:0${path}${secure}`]);
    await allArrive(urlOf(scheme), urlOf('tcp'), false);
  });

  test('what a client sent before a reset is given up, said and counted', async () => {
    const urlOf = await start(['--workers', '1', '--password-file', users, '--admin', '127.0.0.1:0']);
    const { port } = new URL(urlOf('tcp'));
    const { connect } = await import('node:net');
    const { once } = await import('node:events');
    const socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
    const sign = { userName: 'user-1', password: Buffer.from('a long password') };
    socket.write(together(5, [hello(5, 'hasty', true, sign), message('a', 'x', 0), message('a', 'y', 0)]), () =>
      socket.resetAndDestroy(),
    );
    await broker?.until('packets of a client were given up');
    const line = broker?.log().find(({ msg }) => String(msg).startsWith('packets of a client'));
    expect(line).toMatchObject({ level: 'warn', packets: 2, reason: 'connection-lost' });
  });
});

describe.each([
  ['memory, 1 worker', ['--workers', '1']],
  ['memory, 3 workers', ['--workers', '3']],
  ['LMDB, 1 worker', ['--workers', '1', '--store', 'lmdb']],
  ['LMDB, 2 workers', ['--workers', '2', '--store', 'lmdb']],
])('SUBSCRIBE and what comes right behind it: %s', (_title, words) => {
  const ask = (packetId: number, text: string): Packet => subscribePacket({ filter: text, qos: 1 }, packetId);

  test('a client gets its own message, PINGRESP comes after SUBACK, UNSUBACK before the next message is gone', async () => {
    const urlOf = await start(words);
    for (const kept of [true, false]) {
      for (let round = 0; round < 10; round++) {
        const wire = await Conversation.open(urlOf('tcp'), 5);
        await wire.connect({
          clientId: `own-${round}`,
          ...(kept ? { cleanStart: false, sessionExpirySeconds: 60 } : {}),
        });
        const unsubscribe: Packet = { type: 'unsubscribe', packetId: 3, filters: ['own/a'], properties: {} };
        const ping: Packet = { type: 'pingreq' };
        wire.send(
          ask(1, 'own/a'),
          message('own/a', 'first', 0),
          ping,
          ask(2, 'own/b'),
          unsubscribe,
          message('own/a', 'lost', 0),
          message('own/b', 'last', 0),
        );
        const types: string[] = [];
        while (types.at(-1) !== 'last') {
          const packet = await wire.next();
          types.push(packet.type === 'publish' ? packet.payload.toString() : packet.type);
        }
        expect(types).toEqual(['suback', 'first', 'pingresp', 'suback', 'unsuback', 'last']);
        wire.send(goodbye);
        await wire.expectClosed();
      }
    }
  });

  test('SUBSCRIBE and DISCONNECT in one piece: the subscription is made', async () => {
    const urlOf = await start(words);
    const names = Array.from({ length: count }, (_, at) => `leaver-${at}`);
    await Promise.all(
      names.map((name, at) =>
        sayAndGo(
          urlOf('tcp'),
          together(5, [hello(5, name, false), ask(1, `left/${name}`), ...(at % 2 === 0 ? [goodbye] : [])]),
        ),
      ),
    );
    const publisher = await Conversation.open(urlOf('tcp'), 5);
    await publisher.connect({ clientId: 'publisher' });
    for (const name of names) {
      // Its session is claimed here behind everything that it has said: once back, it knows its subscription.
      const wire = await Conversation.open(urlOf('tcp'), 5);
      const { sessionPresent } = await wire.connect({ clientId: name, cleanStart: false, sessionExpirySeconds: 60 });
      expect([name, sessionPresent]).toEqual([name, true]);
      await publisher.publish({ topic: `left/${name}`, payload: name, qos: 1 });
      expect(await wire.receiveTexts(1)).toEqual([name]);
      await wire.drop();
    }
    await publisher.drop();
  });
});

/** 14,000 packets with one filter each: before, 2.3 ms each, half a minute. */
test('SUBSCRIBE packets that are there travel to the store together', async () => {
  const limits = ['--set', 'limits.subscriptionsMax=14000', '--set', 'limits.subscriptionBytesMax=64000000'];
  const urlOf = await start(['--workers', '1', '--store', 'lmdb', ...limits]);
  const wire = await Conversation.open(urlOf('tcp'), 5);
  await wire.connect({ clientId: 'many', cleanStart: false, sessionExpirySeconds: 60 });
  const filters = Array.from({ length: 14_000 }, (_, at) => `many/${at}`);
  const begun = performance.now();
  wire.send(...filters.map((filter, at) => subscribePacket({ filter, qos: 1 }, at + 1)));
  for (let at = 0; at < filters.length; at++) {
    const { packetId, reasonCodes } = await wire.expectPacket({ type: 'suback' });
    if (packetId !== at + 1 || reasonCodes[0] !== 1) expect([packetId, reasonCodes]).toEqual([at + 1, [1]]);
  }
  const seconds = (performance.now() - begun) / 1000;
  expect(seconds).toBeLessThan(10);
  console.log(`14,000 SUBSCRIBE packets in ${seconds.toFixed(2)} s`);
  await wire.drop();
});
