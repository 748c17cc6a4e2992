import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversation, disconnectPacket, TestAuthority } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from '../cluster/cluster.ts';
import { Dunlin, run } from '../command.ts';
import { connectOf, publishOf, type Speaker, sayAndLeave, sayAndListen, subscribeOf } from './said-and-gone.ts';

const speakers = 10;
/** A password is remembered once it was checked: each of these is checked when its first client comes. */
const users = ['ann', 'bob', 'cid', 'dan'];
const ways = ['sayAndListen', 'sayAndLeave'] as const;
const say = { sayAndListen, sayAndLeave };

interface Place {
  /** URLs of the listeners: tcp, tls, ws, wss. */
  urls: Record<string, string>;
  hasUsers: boolean;
  stop(): Promise<unknown>;
}

async function node(store: 'memory' | 'lmdb', workers: number, hasUsers: boolean): Promise<Place> {
  const directory = mkdtempSync(join(tmpdir(), 'dunlin-order-'));
  const authority = await TestAuthority.make();
  const server = await authority.issue('server');
  const listeners = ['tcp', 'tls', 'ws', 'wss'].map((kind) => ({
    url: `${kind}://127.0.0.1:0`,
    ...(kind === 'tls' || kind === 'wss' ? server : {}),
  }));
  const file = join(directory, 'dunlin.yaml');
  writeFileSync(file, JSON.stringify({ listeners }));
  const words = ['start', '--config', file, '--store', store, '--workers', String(workers)];
  if (store === 'lmdb') words.push('--data', join(directory, 'data'));
  if (hasUsers) {
    const passwords = join(directory, 'users');
    writeFileSync(passwords, '');
    for (const user of users) await run(['passwd', '-b', passwords, user, `of ${user}`]);
    words.push('--password-file', passwords);
  }
  const broker = new Dunlin(words);
  await broker.until('"event":"node.started"');
  const ready = broker.log().find((line) => line.event === 'node.started') as { listeners: string[] };
  const urls = Object.fromEntries(
    ready.listeners.map((url) => [
      url.slice(0, url.indexOf(':')),
      url.replace(/^tcp:/, 'mqtt:').replace(/^tls:/, 'mqtts:'),
    ]),
  );
  const stop = async (): Promise<void> => {
    broker.child.kill('SIGKILL');
    await broker.finished;
    rmSync(directory, { recursive: true });
    await authority.remove();
  };
  return { urls, hasUsers, stop };
}

async function cluster(): Promise<Place> {
  const nodes = await Cluster.start({ nodes: 2 });
  return { urls: { tcp: nodes.nodes[1].url }, hasUsers: false, stop: () => nodes[Symbol.asyncDispose]() };
}

const places: [string, () => Promise<Place>, string[]][] = [
  ['memory, two workers', () => node('memory', 2, false), ['tcp']],
  ['LMDB, passwords', () => node('lmdb', 1, true), ['tcp', 'tls', 'ws', 'wss']],
  ['a cluster', cluster, ['tcp']],
];

describe.each(places)('%s', (_, start, kinds) => {
  let place: Place;
  let watcher: Conversation;
  beforeAll(async () => {
    place = await start();
    watcher = await Conversation.open(place.urls.tcp, 4);
    const speaker = { url: place.urls.tcp, clientId: 'watcher', ...(place.hasUsers ? { userName: 'ann' } : {}) };
    watcher.send(connectOf(speaker), subscribeOf('said/#'));
    await watcher.expect('connack', 15_000);
    await watcher.expect('suback', 15_000);
  });
  afterAll(async () => {
    await watcher?.drop();
    await place?.stop();
  });

  function speakerOf(kind: string, clientId: string, index: number, cleanStart: boolean): Speaker {
    const userName = place.hasUsers ? users[index % users.length] : undefined;
    return { url: place.urls[kind], clientId, cleanStart, ...(userName === undefined ? {} : { userName }) };
  }

  describe.each(kinds)('%s', (kind) => {
    for (const way of ways) {
      if (way === 'sayAndLeave' && kind !== 'tcp') continue;
      for (const last of ['DISCONNECT', 'nothing'] as const) {
        test.each([true, false])(
          `${way}: CONNECT, PUBLISH and ${last}, clean session %s: all arrive`,
          async (clean) => {
            const expected: string[] = [];
            const speaking = Array.from({ length: speakers }, (_each, index) => {
              const qos = (index % 3) as 0 | 1 | 2;
              const clientId = `${kind}-${way}-${last}-${clean}-${index}`;
              expected.push(clientId);
              const publish = publishOf(`said/${kind}`, clientId, qos);
              return say[way](
                speakerOf(kind, clientId, index, clean),
                ...(last === 'DISCONNECT' ? [publish, disconnectPacket()] : [publish]),
              );
            });
            await Promise.all(speaking);
            expect((await watcher.receiveTexts(speakers)).sort()).toEqual(expected.sort());
          },
        );
      }
    }

    // A WebSocket's close frame is answered at once: its client may be back before what it sent has taken effect.
    if (kind === 'ws' || kind === 'wss') return;
    test.each(['DISCONNECT', 'nothing'])('CONNECT, SUBSCRIBE and %s: the subscription is there', async (end) => {
      const last = end === 'DISCONNECT' ? [disconnectPacket()] : [];
      const names = Array.from({ length: speakers }, (_each, index) => `${kind}-subscriber-${end}-${index}`);
      const speakerAt = (index: number): Speaker => speakerOf(kind, names[index], index, false);
      await Promise.all(
        names.map((name, index) => sayAndListen(speakerAt(index), subscribeOf(`for/${name}`), ...last)),
      );
      for (const [index, name] of names.entries()) {
        const wire = await Conversation.open(place.urls[kind], 4);
        wire.send(connectOf(speakerAt(index)), publishOf(`for/${name}`, name, 1));
        await wire.expectPacket({ type: 'connack', sessionPresent: true }, 15_000);
        expect(await wire.receiveTexts(1)).toEqual([name]);
        await wire.drop();
      }
    });
  });
});
