/** A stranger who may publish in NATS: what it forges, and what it has recorded and sends again. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';

/** Nodes are started from their sources, on a machine that other tests want too. */
const timeout = 60_000;

/** Connection to NATS by hand: what it has heard, and a way to publish it. */
class Stranger {
  readonly heard: { subject: string; bytes: Buffer }[] = [];
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
  }

  static async connect(port: number): Promise<Stranger> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('CONNECT {"verbose":false,"echo":false}\r\nSUB > 1\r\n');
    return new Stranger(socket);
  }

  publish(subject: string, bytes: Buffer): void {
    this.#socket.write(Buffer.concat([Buffer.from(`PUB ${subject} ${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]));
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const lineEnd = this.#rest.indexOf('\r\n');
      if (lineEnd < 0) return;
      const words = this.#rest.toString('latin1', 0, lineEnd).split(' ');
      const length = words[0] === 'MSG' ? Number(words.at(-1)) : -2;
      const end = lineEnd + 2 + length + 2;
      if (this.#rest.length < end) return;
      if (words[0] === 'MSG')
        this.heard.push({ subject: words[1], bytes: Buffer.from(this.#rest.subarray(lineEnd + 2, end - 2)) });
      if (words[0] === 'PING') this.#socket.write('PONG\r\n');
      this.#rest = this.#rest.subarray(end);
    }
  }
}

/** A message of version 1 (docs of packages/backplane-nats/src/envelope.ts), without a signature. */
function forged(kind: number, from: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([1, kind, from.length]), Buffer.from(from), Buffer.from([0, 0, 0, 1]), body]);
}

const bye = (from: string, about: string): Buffer =>
  forged(4, from, Buffer.concat([Buffer.from([about.length]), Buffer.from(about)]));

let directory: string;
let cluster: Cluster;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dunlin-secret-'));
  const secretFile = join(directory, 'secret');
  await writeFile(secretFile, randomBytes(32).toString('base64'), { mode: 0o600 });
  cluster = await Cluster.start({ nodes: 2, environment: { DUNLIN_CLUSTER_SECRET_FILE: secretFile } });
}, timeout);
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

test('neither its bye, nor its messages, nor its recordings have an effect', { timeout }, async () => {
  const [a, b] = cluster.nodes;
  const stranger = await Stranger.connect(cluster.nats.port);
  const subscriber = await b.connect({ clientId: 'subscriber' });
  await subscriber.subscribe('orders/#', 1);
  const publisher = await a.connect({ clientId: 'publisher' });
  await publisher.publish({ topic: 'orders/1', payload: 'true', qos: 1 });
  await publisher.publish({ topic: 'orders/0', payload: 'true', qos: 0 });
  expect(await subscriber.receiveTexts(2)).toEqual(['true', 'true']);
  const recorded = [...stranger.heard];
  const names = [...new Set(recorded.map(({ bytes }) => bytes.toString('latin1', 3, 3 + bytes[2])))];
  expect(names.map((name) => name.slice(0, 4)).sort()).toEqual(['a/0#', 'b/0#']);
  expect(recorded.some(({ bytes }) => bytes.includes('orders/1'))).toBe(true);
  for (const from of names) for (const about of names) stranger.publish('dunlin.dunlin.bye', bye(from, about));
  for (const { subject, bytes } of recorded) {
    stranger.publish(subject, bytes);
    // The same without its signature.
    const stripped = Buffer.from(bytes.subarray(0, bytes.length - 24));
    stripped[0] &= 0x3f;
    stranger.publish(subject, stripped);
  }
  await b.says('"event":"frame.refused"');
  await b.says('"reason":"replayed"');
  await publisher.publish({ topic: 'orders/1', payload: 'last', qos: 1 });
  expect(await subscriber.receiveTexts(1)).toEqual(['last']);
  await subscriber.expectNothing();
  for (const node of cluster.nodes) {
    const metrics = await node.metrics();
    for (const reason of ['unsigned', 'replayed'])
      expect(metrics.get(`dunlin_backplane_refused_total{reason="${reason}"}`)).toBeGreaterThan(0);
    expect(node.output).not.toMatch(/endpoint\.(evicted|died|replaced)|worker\.replaced/);
  }
  stranger.close();
});
