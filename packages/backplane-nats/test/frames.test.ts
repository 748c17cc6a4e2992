import { randomBytes } from 'node:crypto';
import { FaultProxy, type NatsProcess, startNats } from '@dunlin/testkit';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { pendingBytesMax } from '../src/bounds.ts';
import { EnvelopeWriter, newestVersion } from '../src/envelope.ts';
import { defaultTimings } from '../src/index.ts';
import { Subjects } from '../src/subjects.ts';
import { Ear } from './ear.ts';
import { Endpoints, fastTimings, text } from './endpoints.ts';

let nats: NatsProcess;
let endpoints: Endpoints;
/** Functions that close whatever a test started. */
const closing: (() => Promise<void>)[] = [];
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats.stop());
beforeEach(() => {
  endpoints = new Endpoints();
});
afterEach(async () => {
  await endpoints.close();
  for (const close of closing.splice(0)) await close();
});

describe('bytes larger than the server takes at once', () => {
  test.each([
    ['64 KiB', 64 * 1024, 5_000_001],
    ['1 MiB', 1024 * 1024, 5_000_001],
    ['8 MiB', 8 * 1024 * 1024, 20_000_000],
  ])('arrive whole and in order when it takes %s', async (_what, payloadBytesMax, size) => {
    const server = await startNats({ configuration: [`max_payload: ${payloadBytesMax}`, 'max_pending: 256MB'] });
    closing.push(() => server.stop());
    // Sixty megabytes hold up the thread, and the server's answers, for longer than fast endpoints would wait.
    const timings = { ...fastTimings, leaseMilliseconds: 30_000, pingMilliseconds: 60_000 };
    const start = () => endpoints.start(server.url, { timings });
    const [one, two, three] = [await start(), await start(), await start()];
    const [first, second] = [randomBytes(size), randomBytes(size)];
    one.backplane.send(two.backplane.self, text('before'));
    one.backplane.send(two.backplane.self, first);
    three.backplane.send(two.backplane.self, second);
    one.backplane.send(two.backplane.self, text('after'));
    one.backplane.broadcast(second);
    await two.ear.until('bytes', undefined, 5);
    const of = (from: string) =>
      two.ear.heard.flatMap((heard) =>
        heard.kind === 'bytes' && heard.endpoint === from ? [Buffer.from(heard.bytes)] : [],
      );
    const heard = of(one.backplane.self);
    expect(heard.map((bytes) => bytes.length)).toEqual([6, size, 5, size]);
    expect(heard[1].equals(first) && heard[3].equals(second)).toBe(true);
    expect(of(three.backplane.self)[0].equals(second)).toBe(true);
    await three.ear.until('bytes');
  });

  test('the largest piece and the smallest that needs two', async () => {
    const server = await startNats({ configuration: ['max_payload: 4096'] });
    closing.push(() => server.stop());
    const [one, two] = [await endpoints.start(server.url), await endpoints.start(server.url)];
    const header = new EnvelopeWriter(one.backplane.self).headerBytes;
    const sizes = [4096 - header - 1, 4096 - header, 4096 - header + 1, 8192 - 2 * header, 8192];
    const before = one.backplane.counters.messagesSent;
    for (const size of sizes) one.backplane.send(two.backplane.self, randomBytes(size));
    expect(one.backplane.counters.messagesSent - before).toBe(1 + 1 + 2 + 3 + 3);
    await two.ear.until('bytes', one.backplane.self, sizes.length);
    expect(two.ear.heard.flatMap((heard) => (heard.kind === 'bytes' ? [heard.bytes.length] : []))).toEqual(sizes);
  });
});

test('what the server does not take is dropped and counted, beyond a bound, and the rest arrives', async () => {
  const proxy = await FaultProxy.start(nats);
  closing.push(() => proxy.close());
  // Filling 64 MiB takes longer than a fast lease, and the server's answers come behind them.
  const timings = { ...defaultTimings, pingMilliseconds: 60_000 };
  const receiver = await endpoints.start(nats.url, { timings });
  const sender = await endpoints.start(`nats://127.0.0.1:${proxy.port}`, { timings });
  await receiver.ear.until('joined', sender.backplane.self);
  proxy.freeze();
  const size = 256 * 1024;
  const room = pendingBytesMax / size;
  for (let count = 0; count < room + 50; count++)
    sender.backplane.send(receiver.backplane.self, new Uint8Array(size).fill(count));
  const { droppedPending } = sender.backplane.counters;
  expect(droppedPending).toBeGreaterThan(45);
  expect(droppedPending).toBeLessThanOrEqual(52);
  proxy.thaw();
  await receiver.ear.until('bytes', sender.backplane.self, room + 50 - droppedPending, 20_000);
  const numbers = receiver.ear.heard.flatMap((heard) => (heard.kind === 'bytes' ? [heard.bytes[0]] : []));
  expect(numbers).toEqual(Array.from({ length: room + 50 - droppedPending }, (_, index) => index % 256));
  // The link above is told that something is missing, once there is room for it.
  await sender.ear.until('reconnected');
  // There is room again as soon as the server has confirmed what it took.
  const timer = setInterval(() => sender.backplane.send(receiver.backplane.self, text('room')), 20);
  await receiver.ear.untilText('room');
  clearInterval(timer);
});

describe('an endpoint that does not behave', () => {
  const subjects = new Subjects('dunlin');
  let stranger: NatsConnection;
  beforeEach(async () => {
    stranger = await connect({ servers: nats.url });
  });
  afterEach(() => stranger.close());

  test('of a newer version is refused in one line, and does not become a member', async () => {
    const one = await endpoints.start(nats.url);
    const writer = new EnvelopeWriter('future/0#1');
    for (const message of [writer.heartbeat(0), writer.frame(text('new')), writer.heartbeat(0)]) {
      message[0] = newestVersion + 1;
      stranger.publish(subjects.all, message);
    }
    stranger.publish(subjects.all, new Uint8Array(0));
    stranger.publish(subjects.all, Uint8Array.of(1, 2));
    stranger.publish(subjects.all, new EnvelopeWriter('present/0#1').heartbeat(0));
    await one.ear.until('joined', 'present/0#1');
    expect(one.backplane.counters.refused.unreadable).toBe(5);
    expect(one.log.matching(/future.*version 2 is not understood; known: 1 to 1/)).toHaveLength(1);
    expect(one.log.matching(/is refused/)).toHaveLength(1);
    expect(one.ear.count('joined')).toBe(1);
  });

  test('that reads newer versions as well is a member like any other', async () => {
    const one = await endpoints.start(nats.url);
    const heartbeat = new EnvelopeWriter('next/0#1').heartbeat(0);
    heartbeat[heartbeat.length - 1] = newestVersion + 1;
    stranger.publish(subjects.heartbeat, heartbeat);
    await one.ear.until('joined', 'next/0#1');
  });

  test('of another release is a member like any other, and its node is named once', async () => {
    const one = await endpoints.start(nats.url, { release: '2.0.0' });
    // A second worker of the same node, and a release that does not say which it is.
    for (const [name, release] of [
      ['old/0#1', '1.9.9'],
      ['old/1#1', '1.9.9'],
      ['older/0#1', ''],
      ['same/0#1', '2.0.0'],
    ]) {
      stranger.publish(subjects.heartbeat, new EnvelopeWriter(name, release).heartbeat(0));
      await one.ear.until('joined', name);
    }
    expect(one.log.matching(/another node runs another release/)).toEqual([
      expect.stringMatching(/"endpoint":"old\/0#1","release":"1.9.9","own":"2.0.0"/),
      expect.stringMatching(/"endpoint":"older\/0#1","release":"before 0.2","own":"2.0.0"/),
    ]);
    const two = await endpoints.start(nats.url, { release: '2.0.1' });
    await one.log.until(new RegExp(`"endpoint":"${two.backplane.self}","release":"2.0.1"`));
    await two.log.until(/"release":"2.0.0","own":"2.0.1"/);
  });

  test('whose first message is a frame joins by it, and bytes of its earlier connection come too late', async () => {
    const one = await endpoints.start(nats.url);
    const writer = new EnvelopeWriter('other/0#1');
    const say = (connection: number, words: string) => {
      writer.connection = connection;
      stranger.publish(subjects.to(one.backplane.self), writer.frame(text(words)));
    };
    say(1, 'first');
    say(3, 'second');
    say(1, 'late');
    stranger.publish(subjects.all, writer.piece(1, 0, 1, text('late too')));
    say(3, 'third');
    await one.ear.untilText('third');
    expect(one.ear.heard.map(({ kind }) => kind)).toEqual(['connected', 'joined', 'bytes', 'bytes', 'bytes']);
    expect(one.ear.texts()).toEqual(['first', 'second', 'third']);
    expect(one.backplane.counters.stale).toBe(2);
  });

  test('that leaves a message unfinished loses it alone', async () => {
    const one = await endpoints.start(nats.url);
    const writer = new EnvelopeWriter('other/0#1');
    const to = subjects.to(one.backplane.self);
    stranger.publish(to, writer.piece(1, 0, 2, text('half')));
    stranger.publish(to, writer.frame(text('frame')));
    stranger.publish(to, writer.piece(1, 1, 2, text('other half')));
    stranger.publish(to, writer.piece(2, 0, 2, text('who')));
    stranger.publish(to, writer.piece(2, 1, 2, text('le')));
    await one.ear.untilText('whole');
    expect(one.ear.texts()).toEqual(['frame', 'whole']);
    expect(one.backplane.counters.piecesDropped).toBe(2);
  });

  test('a receiver that throws does not end the connection', async () => {
    const other = await endpoints.start(nats.url);
    class Throwing extends Ear {
      override endpointJoined(endpoint: string): void {
        super.endpointJoined(endpoint);
        throw new TypeError('joined');
      }
      override received(endpoint: string, bytes: Uint8Array): void {
        super.received(endpoint, bytes);
        throw new TypeError('received');
      }
    }
    const one = endpoints.make(nats.url);
    const ear = new Throwing();
    await one.backplane.start(ear);
    for (const words of ['one', 'two']) other.backplane.send(one.backplane.self, text(words));
    await ear.untilText('two');
    expect(one.log.matching(/could not be handled.*TypeError/)).toHaveLength(3);
  });
});

describe('an event loop that stood still for longer than the lease', () => {
  /** Blocks the thread, with everything that runs in it. */
  const standStill = () =>
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, fastTimings.leaseMilliseconds + 150);

  test('sends nothing before its lease is renewed, and then says that something is missing', async () => {
    const [one, two] = [await endpoints.start(nats.url), await endpoints.start(nats.url)];
    standStill();
    one.backplane.send(two.backplane.self, text('too early'));
    expect(one.backplane.counters.droppedDisconnected).toBe(1);
    await one.ear.until('reconnected');
    one.backplane.send(two.backplane.self, text('in time'));
    await two.ear.untilText('in time');
    expect(two.ear.texts()).toEqual(['in time']);
    for (const { ear } of [one, two]) expect([ear.count('left'), ear.count('evicted')]).toEqual([0, 0]);
  });

  test('sends nothing and stops when it was evicted meanwhile', async () => {
    const [one, two] = [await endpoints.start(nats.url), await endpoints.start(nats.url)];
    await endpoints.leases.evict(one.backplane.self, true);
    standStill();
    one.backplane.send(two.backplane.self, text('of a dead one'));
    await one.ear.until('evicted');
    await two.ear.until('left', one.backplane.self);
    expect(two.ear.texts()).toEqual([]);
  });

  test.each(['rejects', 'hangs'] as const)('goes on when the store %s, because others would say so', async (state) => {
    const [one, two] = [await endpoints.start(nats.url), await endpoints.start(nats.url)];
    one.leases.state = state;
    standStill();
    one.backplane.send(two.backplane.self, text('too early'));
    await one.ear.until('reconnected');
    one.backplane.send(two.backplane.self, text('in time'));
    await two.ear.untilText('in time');
    expect(two.ear.texts()).toEqual(['in time']);
  });
});
