/** Frames that must arrive over a carrier that loses them, and frames that may be lost (ARCHITECTURE.md, section 8). */
import { describe, expect, test } from 'vitest';
import { FrameType } from '../src/cluster/frames.ts';
import { publish } from './support/client.ts';
import type { FakeClock } from './support/fake-clock.ts';
import { type End, pair } from './support/link-end.ts';
import { frameType } from './support/lossy-backplane.ts';
import { drain, lossy } from './support/lossy-world.ts';

/** Sends each text in a turn of its own; returns the frames. */
async function keepEach(clock: FakeClock, end: End, ...texts: string[]): Promise<Uint8Array[]> {
  for (const text of texts) {
    end.keep(text);
    await clock.settle();
  }
  return end.take();
}

describe('at rest', () => {
  test('no timer runs; one does while anything waits for an acknowledgement', async () => {
    const { clock, one, two } = await pair();
    expect(clock.timerCount).toBe(0);
    one.keep('a');
    await clock.settle();
    expect(clock.timerCount).toBe(1);
    two.hear(one.take());
    await clock.settle();
    one.hear(two.take());
    await clock.pass(200);
    expect(clock.timerCount).toBe(0);
    one.pass('b');
    await clock.settle();
    two.hear(one.take());
    expect(clock.timerCount).toBe(2);
    await clock.pass(100);
    one.hear(two.take());
    await clock.pass(200);
    expect(clock.timerCount).toBe(0);
  });

  test('passing frames that come after a long rest are under way for as long as any', async () => {
    const { clock, one } = await pair(500);
    await clock.pass(60_000);
    expect(one.pass('x'.repeat(900))).toBe(true);
    await clock.pass(1000);
    expect(one.pass('x'.repeat(900))).toBe(false);
    await clock.pass(1500);
    expect(one.pass('x'.repeat(900))).toBe(true);
  });
});

describe('kept frames', () => {
  test('what was acknowledged is settled, in order, and nothing is sent again', async () => {
    const { clock, one, two } = await pair();
    const first = one.keep('a');
    await clock.settle();
    const second = one.keep('b');
    await clock.settle();
    two.hear(one.take());
    await clock.settle();
    expect([first.done, second.done]).toEqual([false, false]);
    one.hear(two.take());
    await clock.pass(20_000);
    expect([first.done, second.done]).toEqual([true, true]);
    expect(two.taken).toEqual(['a', 'b']);
    expect(one.take()).toEqual([]);
  });

  /** Fails when Link.acknowledged does not heed the gap flag, and when InboundLink takes what comes after a gap. */
  test('a gap is asked for at once, once, and the order stays', async () => {
    const { clock, one, two } = await pair();
    const [a, b, c, d] = await keepEach(clock, one, 'a', 'b', 'c', 'd');
    two.hear([a]);
    two.hear([c]); // b is lost
    await clock.settle();
    two.hear([d]);
    await clock.settle();
    const [gapAtC, gapAtD] = two.take();
    one.hear([gapAtC]);
    const again = one.take();
    expect(again).toHaveLength(3);
    one.hear([gapAtD]); // says nothing about what was sent again since
    expect(one.take()).toEqual([]);
    two.hear([...again, b]);
    await clock.settle();
    one.hear(two.take());
    expect(two.taken).toEqual(['a', 'b', 'c', 'd']);
    await clock.pass(20_000);
    expect(one.take()).toEqual([]);
    expect(one.metrics.framesRepeated).toBe(3);
  });

  test('without any answer they are sent again after half a second, then less and less often', async () => {
    const { clock, one, two } = await pair();
    one.keep('a');
    await clock.settle();
    const times: number[] = [];
    const start = clock.now();
    one.take();
    for (let passed = 0; passed < 30_000; passed += 100) {
      await clock.pass(100);
      if (one.sent.length > 0) times.push(clock.now() - start);
      two.hear(one.take());
    }
    const steps = times.map((time, i) => time - (times[i - 1] ?? 0));
    expect(steps).toEqual([500, 1000, 2000, 4000, 8000, 8000]);
    expect(two.taken).toEqual(['a']); // the others were duplicates
    one.hear(two.take());
    await clock.pass(20_000);
    expect(one.take()).toEqual([]);
  });

  test('when the carrier is back they are sent again at once', async () => {
    const { clock, one, two } = await pair();
    await keepEach(clock, one, 'a', 'b');
    one.links.reconnected();
    two.hear(one.take());
    expect(two.taken).toEqual(['a', 'b']);
  });

  test('no more is sent again at once than the other side has shown to take', async () => {
    const { clock, one, two } = await pair(100_000_000);
    const large = 'x'.repeat(60_000);
    for (let i = 0; i < 60; i++) one.keep(`${i} ${large}`);
    await clock.settle();
    expect(one.take()).toHaveLength(60); // all of them lost
    one.links.reconnected();
    for (let rounds = 0; two.taken.length < 60; rounds++) {
      expect(rounds).toBeLessThan(10);
      const again = one.take();
      expect(again.length).toBeGreaterThan(0);
      expect(again.reduce((sum, bytes) => sum + bytes.length, 0)).toBeLessThan(1.2 * 1024 * 1024);
      two.hear(again);
      await clock.settle();
      one.hear(two.take());
    }
    expect(two.taken.map((text) => Number.parseInt(text, 10))).toEqual(Array.from({ length: 60 }, (_, i) => i));
    const late = one.keep('late');
    await clock.settle();
    two.hear(one.take());
    await clock.settle();
    one.hear(two.take());
    await clock.settle();
    expect(late.done).toBe(true);
  });

  test('an endpoint that leaves is not waited for; when it comes back it begins anew', async () => {
    const { clock, one, two } = await pair();
    const lost = one.keep('lost');
    const filling = one.keep('being filled');
    one.links.left('other');
    await clock.settle();
    expect([lost.done, filling.done]).toEqual([true, true]);
    one.take();
    one.links.joined('other');
    const next = one.keep('next');
    await clock.settle();
    two.hear(one.take());
    await clock.settle();
    one.hear(two.take());
    await clock.settle();
    expect(next.done).toBe(true);
    expect(two.taken).toEqual(['next']);
  });

  /** Fails when InboundLink.acceptKept does not heed `first`. */
  test('a receiver that began anew goes on where the sender is', async () => {
    const { clock, one, two } = await pair();
    two.hear(await keepEach(clock, one, 'a', 'b'));
    await clock.settle();
    one.hear(two.take());
    two.links.left('other'); // it believed the sender to be gone
    two.links.joined('other');
    const third = one.keep('c');
    await clock.settle();
    two.hear(one.take());
    await clock.settle();
    one.hear(two.take());
    await clock.settle();
    expect(third.done).toBe(true);
    expect(two.taken).toEqual(['a', 'b', 'c']);
  });
});

describe('passing frames', () => {
  test('are never sent again, and bounded by what the other side has taken in', async () => {
    const { clock, one, two } = await pair(10_000);
    const text = 'x'.repeat(1000);
    let taken = 0;
    while (one.pass(text)) taken++;
    // Half of the room, and of the rest as much as is left.
    expect(taken).toBeGreaterThan(5);
    expect(taken).toBeLessThan(10);
    await clock.settle();
    const frames = one.take();
    two.hear(frames);
    expect(one.pass(text)).toBe(false);
    await clock.pass(100); // acknowledged by the timer
    one.hear(two.take());
    expect(one.pass(text)).toBe(true);
    expect(two.taken).toHaveLength(taken);
  });

  test('those that were lost are covered by later ones, or forgotten after a while', async () => {
    const { clock, one, two } = await pair(10_000);
    for (let i = 0; i < 4; i++) one.pass('x'.repeat(1000));
    await clock.settle();
    one.take(); // lost
    one.pass('x'.repeat(1000));
    await clock.settle();
    two.hear(one.take());
    await clock.pass(100);
    one.hear(two.take());
    for (let i = 0; i < 5; i++) expect(one.pass('x'.repeat(1000))).toBe(true);
    await clock.settle();
    one.take(); // lost, and nothing follows
    expect(one.pass('x'.repeat(5000))).toBe(false);
    await clock.pass(2500);
    expect(one.pass('x'.repeat(5000))).toBe(true);
  });

  test('those of twenty that flood leave room for one that does not, and share the rest', async () => {
    const { clock, one, two } = await pair(1_000_000);
    const passed = new Array<number>(20).fill(0);
    let quiet = 0;
    for (let round = 0; round < 50; round++) {
      for (let chunk = 0; chunk < 100; chunk++)
        for (let i = 0; i < 20; i++) if (one.pass('x'.repeat(1000), `flood ${i}`)) passed[i]++;
      for (let i = 0; i < 20; i++) if (one.pass('x'.repeat(100), 'quiet')) quiet++;
      await clock.settle();
      two.hear(one.take());
      // The other side takes a part of it, and says so.
      await clock.pass(round % 3 === 0 ? 100 : 20);
      one.hear(two.take());
    }
    expect(quiet).toBe(1000);
    expect(Math.min(...passed)).toBeGreaterThan(100);
    expect(Math.max(...passed)).toBeLessThan(1.5 * Math.min(...passed));
  });

  test('a publisher alone has two thirds of the room', async () => {
    const { one } = await pair(1_000_000);
    let bytes = 0;
    while (one.pass('x'.repeat(1000))) bytes += 1000;
    expect(bytes).toBeGreaterThan(650_000);
    expect(one.pass('x'.repeat(1000), 'another')).toBe(true);
  });

  test('have a quarter of the room where kept frames wait, and go first', async () => {
    const { clock, one } = await pair(10_000);
    one.keep('x'.repeat(11_000));
    await clock.settle();
    let passed = 0;
    while (one.pass('x'.repeat(100), `p${passed}`)) passed++;
    expect(passed).toBeGreaterThan(10);
    expect(passed).toBeLessThan(25);
    one.keep('never dropped');
    await clock.settle();
    expect(one.take()).toHaveLength(3);
  });
});

describe('publishes', () => {
  test.each([1, 2] as const)('QoS %i to an ephemeral subscriber: PUBACK waits for the repetition', async (qos) => {
    const { world, workers, hub } = await lossy(2);
    const subscriber = await workers[1].connect('s');
    await subscriber.subscribe('t', qos);
    const publisher = await workers[0].connect('p');
    hub.cut(workers[0].broker.self, workers[1].broker.self);
    for (let i = 1; i <= 5; i++) await publisher.send(publish('t', `m${i}`, qos, i));
    await world.clock.pass(1000);
    expect(publisher.said()).toEqual([]);
    hub.heal();
    await world.clock.pass(4000);
    expect(publisher.said()).toHaveLength(5);
    expect(subscriber.said()).toEqual([1, 2, 3, 4, 5].map((i) => `publish t m${i} q${qos} #${i}`));
  });

  test('a durable subscriber has its log: PUBACK does not wait for the other worker', async () => {
    const { workers, hub } = await lossy(2);
    const subscriber = await workers[1].connect('s', { cleanStart: false, expiry: 1000 });
    await subscriber.subscribe('t', 1);
    const publisher = await workers[0].connect('p');
    hub.cut(workers[0].broker.self, workers[1].broker.self);
    await publisher.send(publish('t', 'x', 1, 1));
    expect(publisher.said()).toEqual(['puback #1']);
  });

  /** Fails when Links.send does not hold the publisher. */
  test('a full link pauses reading from its publishers, until half of it has drained', async () => {
    const { world, workers, hub } = await lossy(2, { linkBytesMax: 10_000 });
    const subscriber = await workers[1].connect('s');
    await subscriber.subscribe('t', 1);
    const publisher = await workers[0].connect('p');
    const other = await workers[0].connect('other');
    hub.cut(workers[0].broker.self, workers[1].broker.self);
    for (let i = 1; i <= 12; i++) await publisher.send(publish('t', `${i} ${'x'.repeat(1000)}`, 1, i));
    expect(publisher.transport.paused).toBe(true);
    await other.send(publish('elsewhere', 'x', 1, 1));
    expect(other.transport.paused).toBe(false);
    // QoS 0 of others still has room; of the one that floods there is none.
    await other.send(publish('t', 'late', 0));
    expect(workers[0].broker.metrics.dropped['link-lost']).toBe(0);
    expect(workers[0].broker.metrics.linkHolds).toBe(1);
    hub.heal();
    await world.clock.pass(10_000);
    expect(publisher.transport.paused).toBe(false);
    expect(publisher.said()).toHaveLength(12);
    expect((await drain(subscriber)).map((text) => Number.parseInt(text, 10))).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
  });

  test('a publisher that a full link held is released when the endpoint is gone', async () => {
    const { world, workers, hub } = await lossy(2, { linkBytesMax: 1000 });
    const subscriber = await workers[1].connect('s');
    await subscriber.subscribe('t', 1);
    const publisher = await workers[0].connect('p');
    hub.cut(workers[0].broker.self, workers[1].broker.self);
    for (let i = 1; i <= 2; i++) await publisher.send(publish('t', 'x'.repeat(1000), 1, i));
    expect(publisher.transport.paused).toBe(true);
    await workers[1].crash();
    await world.clock.settle();
    expect(publisher.transport.paused).toBe(false);
    expect(publisher.said()).toEqual(['puback #1', 'puback #2']);
  });

  test('a frame that cannot be read does not stop the link', async () => {
    const { world, workers, hub } = await lossy(2);
    const subscriber = await workers[1].connect('s');
    await subscriber.subscribe('t', 1);
    const publisher = await workers[0].connect('p');
    hub.loses = (_from, _to, bytes) => {
      if (frameType(bytes) === FrameType.kept) bytes.fill(0xff, 26); // behind its head
      return false;
    };
    await publisher.send(publish('t', 'damaged', 1, 1));
    hub.loses = () => false;
    await publisher.send(publish('t', 'next', 1, 2));
    await world.clock.pass(2000);
    expect(publisher.said()).toEqual(['puback #1', 'puback #2']);
    expect(subscriber.said()).toEqual(['publish t next q1 #1']);
    expect(workers[1].log.join()).toContain('cannot be read');
  });
});
