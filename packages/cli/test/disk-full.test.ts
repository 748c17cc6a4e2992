/**
 * The disk under an embedded store is full, on a small file system that this test mounts. Seen to fail before: at the first commit that failed the worker ended with all
 * its clients, and the next one with the next.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ackPacket, Conversation, withDeadline } from '@dunlin/testkit';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Dunlin, startBroker } from './command.ts';

const directory = mkdtempSync(join(tmpdir(), 'dunlin-full-'));
const mayMount = mount('-t', 'tmpfs', '-o', 'size=8m', 'none', directory);
if (!mayMount) console.warn('skipped: mounting a file system is not allowed here');

function mount(...words: string[]): boolean {
  try {
    execFileSync('mount', words, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

let broker: Dunlin;
let url: string;
const wires: Conversation[] = [];

afterAll(() => {
  if (mayMount) execFileSync('umount', ['--lazy', directory]);
  rmSync(directory, { recursive: true, force: true });
});

async function meet(clientId: string, kept = false): Promise<Conversation> {
  const wire = await Conversation.open(url, 5);
  wires.push(wire);
  await wire.connect({ clientId, ...(kept ? { cleanStart: false, sessionExpirySeconds: 3600 } : {}) });
  return wire;
}

async function ping(wire: Conversation): Promise<void> {
  wire.send({ type: 'pingreq' });
  await wire.expectPacket({ type: 'pingresp' });
}

async function ask(path: string): Promise<{ status: number; text: string }> {
  const { address } = broker.log().find(({ event }) => event === 'admin.opened') as { address: string };
  const response = await fetch(`${address}${path}`);
  return { status: response.status, text: await response.text() };
}

function says(text: string): Promise<void> {
  return withDeadline(broker.until(text), () => `did not say "${text}":\n${broker.output}`, 20_000);
}

describe.skipIf(!mayMount).each([1, 2])('a full disk, with %i workers', (workers) => {
  beforeEach(async () => {
    mount('-o', 'remount,size=8m', directory);
    const data = join(directory, `data-${workers}`);
    const words = ['--workers', String(workers), '--store', 'lmdb', '--data', data, '--admin', '127.0.0.1:0'];
    const started = await startBroker(words);
    broker = started.broker;
    url = `mqtt://127.0.0.1:${started.port}`;
  });
  afterEach(async () => {
    await Promise.all(wires.splice(0).map((wire) => wire.drop()));
    broker.child.kill('SIGTERM');
    await broker.finished;
    rmSync(join(directory, `data-${workers}`), { recursive: true, force: true });
  });

  test('holds what it would have to store, serves everything else, and goes on by itself when there is room', async () => {
    const away = await meet('away', true);
    await away.subscribe('kept/#', 1);
    away.send({ type: 'disconnect', reasonCode: 0, properties: {} });
    await away.expectClosed();
    const listener = await meet('listener');
    await listener.subscribe('passing', 1);
    const bystander = await meet('bystander', true);

    const publisher = await meet('publisher');
    const padding = 'x'.repeat(60_000);
    let sent = 0;
    let acknowledged = 0;
    const acknowledgements = (async () => {
      for (;;) {
        await publisher.expectPacket({ type: 'puback' }, 60_000);
        acknowledged++;
        if (acknowledged === 300) return;
      }
    })();
    for (; sent < 300; sent++)
      publisher.sendPublish({ topic: 'kept/x', payload: `${sent} ${padding}`, qos: 1 }, sent + 1);
    await says('disk.writes-refused');
    const line = broker.log().find(({ event }) => event === 'disk.writes-refused');
    expect(line).toMatchObject({ level: 'error', directory: join(directory, `data-${workers}`) });
    expect(acknowledged).toBeLessThan(300);

    // Everything else goes on.
    await ping(bystander);
    const other = await meet('other');
    for (const [at, qos] of ([0, 1, 1] as const).entries()) {
      await other.publish({ topic: 'passing', payload: `passing ${at}`, qos });
      expect(await listener.receiveTexts(1)).toEqual([`passing ${at}`]);
    }
    const { status, text } = await ask('/readyz');
    expect([status, JSON.parse(text)]).toEqual([503, { ready: false, reasons: ['store-writes'] }]);
    expect((await ask('/metrics')).text).toContain('dunlin_store_writable 0');
    expect((await ask('/healthz')).status).toBe(200);
    const before = acknowledged;
    await says('messages could not be stored');
    expect(acknowledged).toBe(before);

    mount('-o', 'remount,size=128m', directory);
    await says('disk.writes-accepted');
    await acknowledgements;
    await ping(bystander);
    await says('node.became-ready');
    expect((await ask('/readyz')).status).toBe(200);
    expect(broker.output).not.toMatch(/worker\.died|exception\.uncaught|rejection\.unhandled/);
    const back = await meet('away', true);
    const texts = await back.receiveTexts(300);
    expect(texts.map((payload) => payload.split(' ')[0])).toEqual(Array.from({ length: 300 }, (_, at) => String(at)));
  });

  test('brings a message of QoS 2 once, whatever part of its handshake the full disk held up', async () => {
    const messages = 150;
    const reader = await meet('reader', true);
    await reader.subscribe('once/#', 2);
    const read = (async () => {
      const texts: string[] = [];
      for (let completed = 0; completed < messages; ) {
        const packet = await reader.next(60_000);
        if (packet.type === 'publish') {
          texts.push(String(packet.payload).split(' ')[0]);
          reader.send(ackPacket('pubrec', packet.packetId));
        } else if (packet.type === 'pubrel') {
          completed++;
          reader.send(ackPacket('pubcomp', packet.packetId));
        }
      }
      return texts;
    })();
    const sender = await meet('sender', true);
    const sent = (async () => {
      for (let completed = 0; completed < messages; ) {
        const packet = await sender.next(60_000);
        if (packet.type === 'pubcomp') completed++;
        else if (packet.type === 'pubrec') sender.send(ackPacket('pubrel', packet.packetId));
      }
    })();
    const padding = 'x'.repeat(60_000);
    for (let at = 0; at < messages; at++)
      sender.sendPublish({ topic: 'once/x', payload: `${at} ${padding}`, qos: 2 }, at + 1);
    await says('disk.writes-refused');
    mount('-o', 'remount,size=128m', directory);
    await Promise.all([says('disk.writes-accepted'), sent]);
    expect(await read).toEqual(Array.from({ length: messages }, (_, at) => String(at)));
    expect(broker.output).not.toMatch(/worker\.died|exception\.uncaught|rejection\.unhandled/);
  });
});
