/** Room for clients that sign in, beside a flood of those that do not. */
import { describe, expect, test } from 'vitest';
import type { AuthenticationResult, Authenticator } from '../src/ports/authenticator.ts';
import { type Client, connect, publish } from './support/client.ts';
import { World } from './support/world.ts';

/** Lets nobody in before the test says so. */
class SlowAuthenticator implements Authenticator {
  readonly answers: ((result: AuthenticationResult) => void)[] = [];

  authenticate(): Promise<AuthenticationResult> {
    return new Promise((resolve) => {
      this.answers.push(resolve);
    });
  }

  exchange(): null {
    return null;
  }
}

const accepted: AuthenticationResult = { kind: 'accept', userName: null };
const open = (...clients: Client[]): boolean[] => clients.map((client) => !client.isClosed);

describe('by number', () => {
  const limits = { unsignedConnectionsMax: 3 };

  test('who sends no CONNECT for three seconds makes room, the oldest first', async () => {
    const { world, worker } = await World.alone({ limits });
    const [first, second] = [worker.socket(), worker.socket()];
    await world.clock.pass(1000);
    const third = worker.socket();
    await world.clock.pass(1000);
    // Nobody has been silent for long: the new one has no room.
    expect(open(worker.socket(), first, second, third)).toEqual([false, true, true, true]);
    await world.clock.pass(1000);
    const fourth = worker.socket();
    const fifth = worker.socket();
    expect(open(first, second, third, fourth, fifth)).toEqual([false, false, true, true, true]);
    await fourth.send(connect('c'));
    expect(fourth.said()).toEqual(['connack 0x00']);
  });

  test('who has sent CONNECT stays, and who has signed in is not counted', async () => {
    const authenticator = new SlowAuthenticator();
    const { world, worker } = await World.alone({ limits, authenticator });
    const waiting = [worker.socket(), worker.socket(), worker.socket()];
    for (const [i, client] of waiting.entries()) await client.send(connect(`c${i}`));
    await world.clock.pass(4000);
    expect(open(worker.socket(), ...waiting)).toEqual([false, true, true, true]);
    authenticator.answers[0](accepted);
    await world.clock.settle();
    expect(waiting[0].said()).toEqual(['connack 0x00']);
    expect(open(worker.socket(), worker.socket())).toEqual([true, false]);
    await waiting[1].drop();
    expect(open(worker.socket(), worker.socket())).toEqual([true, false]);
  });
});

describe('by address', () => {
  const limits = { unsignedConnectionsPerAddressMax: 2 };

  test.each([
    ['203.0.113.7:1', '203.0.113.7:2', '203.0.113.8:1'],
    ['[2001:db8::1]:1', '[2001:db8::2]:1', '[2001:db8:0:1::1]:1'],
  ])('%s and %s are one, %s is another', async (address, same, other) => {
    const { worker } = await World.alone({ limits });
    expect(open(worker.socket(5, address), worker.socket(5, same))).toEqual([true, true]);
    expect(open(worker.socket(5, address), worker.socket(5, same))).toEqual([false, false]);
    const another = worker.socket(5, other);
    await another.send(connect('c'));
    expect(another.said()).toEqual(['connack 0x00']);
    expect(worker.broker.metrics.listener('test').closed['unsigned-max']).toBe(2);
  });

  test('0 is no limit', async () => {
    const { worker } = await World.alone({ limits: { unsignedConnectionsPerAddressMax: 0 } });
    expect(open(...Array.from({ length: 100 }, () => worker.socket()))).not.toContain(false);
  });
});

describe('by bytes', () => {
  const most = 200 * 1024;

  test('who has sent more than usual goes, the oldest first, and hears why; others stay and get in', async () => {
    const authenticator = new SlowAuthenticator();
    const { world, worker } = await World.alone({ limits: { unsignedBytesMax: most }, authenticator });
    const usual = worker.socket();
    await usual.send(connect('usual'), publish('t', 'x', 1, 1));
    const large: Client[] = [];
    for (let i = 0; i < 5; i++) {
      const client = worker.socket();
      large.push(client);
      await client.send(connect(`large${i}`), publish('t', 'x'.repeat(60_000)));
    }
    expect(open(...large)).toEqual([false, false, true, true, true]);
    const { reasonCode, properties } = large[0].one('connack');
    expect([reasonCode, properties.reasonString]).toEqual([0x97, `limits.unsignedBytesMax is reached: ${most}`]);
    expect(open(usual)).toEqual([true]);
    for (const answer of authenticator.answers) answer(accepted);
    await world.clock.settle();
    expect(usual.said()).toEqual(['connack 0x00', 'puback #1 0x10']);
    expect(large[4].said()).toEqual(['connack 0x00']);
    // They count no more: there is room for others.
    const next = Array.from({ length: 3 }, () => worker.socket());
    for (const client of next) await client.send(connect(''), publish('t', 'x'.repeat(60_000)));
    expect(open(...next)).toEqual([true, true, true]);
  });

  test('a part of a CONNECT counts as well', async () => {
    const { worker } = await World.alone({ limits: { unsignedBytesMax: most } });
    const parts = Array.from({ length: 4 }, () => worker.socket());
    const half = Buffer.alloc(60_000);
    half.set([0x10, 0x80, 0xf0, 0x03]); // 63,488 bytes are to come
    for (const client of parts) await client.sendBytes(half);
    expect(open(...parts)).toEqual([false, true, true, true]);
    expect(parts[0].said()).toEqual([]);
  });
});
