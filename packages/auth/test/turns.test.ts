import type { Credentials } from '@dunlin/broker';
import { FairQueue, newSignInMemory, type Standing } from '@dunlin/broker/guards';
import { describe, expect, test } from 'vitest';
import { Attempts } from '../src/fair/attempts.ts';
import { Turns } from '../src/fair/turns.ts';
import { type Decision, notMine, refuse } from '../src/method.ts';
import { PasswordCheck } from '../src/password-check.ts';
import type { PasswordHash } from '../src/password-hash.ts';
import { credentials, StillClock } from './credentials.ts';

/** Work that is done when the test says so. */
class Workbench {
  /** Names of what was begun, in its order. */
  readonly begun: string[] = [];
  readonly #ends: (() => void)[] = [];

  async work(name: string, decision: Decision): Promise<Decision> {
    this.begun.push(name);
    await new Promise<void>((resolve) => this.#ends.push(resolve));
    return decision;
  }

  /** Ends the oldest work, and lets what waited behind it begin. */
  async finish(times = 1): Promise<void> {
    for (let i = 0; i < times; i++) {
      this.#ends.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** A connection that can go. */
class Socket {
  isGone = false;
  #tell: (() => void) | null = null;

  whenGone(tell: (() => void) | null): void {
    this.#tell = tell;
  }

  close(): void {
    this.isGone = true;
    this.#tell?.();
  }
}

const at = (address: string, userName: string, presence = new Socket()): Credentials =>
  credentials({ remoteAddress: `${address}:50000`, userName, password: 'x', presence });

function world(atOnce = 1) {
  const clock = new StillClock();
  const attempts = new Attempts(clock);
  const turns = new Turns(atOnce, attempts);
  const bench = new Workbench();
  /** Tries to sign in; the work is named after the user. */
  const tries = (who: Credentials, decision: Decision = refuse('wrong')) =>
    turns.run(who, () => bench.work(who.userName ?? '', decision));
  return { clock, attempts, turns, bench, tries };
}

describe('turns', () => {
  test('who comes from elsewhere does not wait for a thousand guesses of one address', async () => {
    const { bench, tries } = world();
    for (let i = 0; i < 1000; i++) void tries(at('198.51.100.1', `guess-${i}`));
    void tries(at('203.0.113.7', 'ann'));
    await bench.finish(2);
    expect(bench.begun).toEqual(['guess-0', 'guess-1', 'ann']);
  });

  test('a /64 of IPv6 is one address', async () => {
    const { bench, tries } = world();
    for (let i = 1; i <= 100; i++) void tries(at(`[2001:db8::${i.toString(16)}]`, `guess-${i}`));
    void tries(at('[2001:db8:0:1::1]', 'ann'));
    await bench.finish(2);
    expect(bench.begun).toEqual(['guess-1', 'guess-2', 'ann']);
  });

  test('at one address, an account does not wait for the guesses on another', async () => {
    const { bench, tries } = world();
    for (let i = 0; i < 100; i++) void tries(at('198.51.100.1', 'bob'));
    void tries(at('198.51.100.1', 'ann'));
    await bench.finish(2);
    expect(bench.begun).toEqual(['bob', 'bob', 'ann']);
  });

  test('an account that was right lately at its address has half of the turns, however many addresses guess', async () => {
    const { attempts, bench, tries } = world();
    attempts.wasRight(at('203.0.113.7', 'ann'));
    for (let i = 0; i < 500; i++) void tries(at(`198.51.${i >> 8}.${i & 255}`, `guess-${i}`));
    for (let i = 0; i < 4; i++) void tries(at('203.0.113.7', 'ann'));
    await bench.finish(8);
    expect(bench.begun.filter((name) => name === 'ann').length).toBe(4);
  });

  test('at an address that guesses, an account that was right there lately is next', async () => {
    const { attempts, bench, tries } = world();
    attempts.wasRight(at('198.51.100.1', 'ann'));
    for (let i = 0; i < 500; i++) void tries(at('198.51.100.1', `guess-${i}`));
    void tries(at('198.51.100.1', 'ann'));
    await bench.finish(1);
    expect(bench.begun).toEqual(['guess-0', 'ann']);
  });

  test('who gives no name, such as a client with a token alone, is not shut out by others who give none', () => {
    const { attempts } = world();
    const nameless = (address: string) => credentials({ remoteAddress: `${address}:50000`, userName: null });
    for (let i = 0; i < 1000; i++) attempts.wasWrong(nameless(`198.51.${i >> 8}.${i & 255}`));
    expect(attempts.mayTry(nameless('203.0.113.7'), 0)).toBe(true);
    for (let i = 0; i < 200; i++) attempts.wasWrong(nameless('203.0.113.8'));
    expect(attempts.mayTry(nameless('203.0.113.8'), 0)).toBe(false);
  });

  test('of those whose connection has gone nobody is asked', async () => {
    const { bench, tries } = world();
    const sockets = Array.from({ length: 200 }, () => new Socket());
    const guesses = sockets.map((socket, i) => tries(at('203.0.113.7', `guess-${i}`, socket)));
    const last = tries(at('203.0.113.7', 'ann'), notMine);
    for (const socket of sockets) socket.close();
    await bench.finish(2);
    expect(bench.begun).toEqual(['guess-0', 'ann']);
    expect(await last).toBe(notMine);
    expect((await Promise.all(guesses.slice(1))).every(({ kind }) => kind === 'gone')).toBe(true);
  });

  test('a connection that has gone before does not wait either', async () => {
    const { bench, tries } = world();
    void tries(at('203.0.113.7', 'bob'));
    const socket = new Socket();
    socket.close();
    expect(await tries(at('203.0.113.7', 'ann', socket))).toEqual({ kind: 'gone' });
    await bench.finish(1);
    expect(bench.begun).toEqual(['bob']);
  });

  test('of a thousand who come at once each waits for those before it, and for nobody who comes later', async () => {
    const { bench, tries } = world();
    const names = Array.from({ length: 1000 }, (_, i) => `user-${i}`);
    for (const name of names) void tries(at('198.51.100.1', name));
    await bench.finish(500);
    const later = Array.from({ length: 1000 }, (_, i) => `later-${i}`);
    for (const name of later) void tries(at('198.51.100.1', name));
    await bench.finish(1499);
    expect(bench.begun).toEqual([...names, ...later]);
  });

  test('where all places are taken, the address with most of them gives one to another', async () => {
    const { bench, tries } = world();
    void tries(at('192.0.2.1', 'first'));
    const guesses = Array.from({ length: 4001 }, (_, i) => tries(at('198.51.100.1', `guess-${i}`)));
    expect(await guesses[4000]).toMatchObject({ kind: 'overloaded', reasonCode: 0x89 });
    void tries(at('203.0.113.7', 'ann'));
    expect(await Promise.race(guesses.slice(0, 4000))).toMatchObject({ kind: 'overloaded', reasonCode: 0x89 });
    await bench.finish(2);
    expect(bench.begun).toEqual(['first', 'guess-0', 'ann']);
  });
});

describe('failures', () => {
  test('an address that has failed 200 times at once is turned away; others, and an account known there, are not', async () => {
    const { attempts, bench, tries } = world(1000);
    attempts.wasRight(at('198.51.100.1', 'ann'));
    for (let i = 0; i < 200; i++) attempts.wasWrong(at('198.51.100.1', `guess-${i}`));
    expect(await tries(at('198.51.100.1', 'guess'))).toMatchObject({ kind: 'overloaded', reasonCode: 0x9f });
    void tries(at('198.51.100.1', 'ann'));
    void tries(at('203.0.113.7', 'bob'));
    expect(bench.begun).toEqual(['ann', 'bob']);
  });

  test('ten more may be tried each second', async () => {
    const { attempts, clock, bench, tries } = world(1000);
    for (let i = 0; i < 200; i++) attempts.wasWrong(at('198.51.100.1', `guess-${i}`));
    clock.milliseconds += 1000;
    for (let i = 0; i < 10; i++) {
      void tries(at('198.51.100.1', `late-${i}`));
      attempts.wasWrong(at('198.51.100.1', `late-${i}`));
    }
    expect(await tries(at('198.51.100.1', 'one more'))).toMatchObject({ reasonCode: 0x9f });
    expect(bench.begun.length).toBe(10);
  });

  test('those who were right cost their address nothing: thousands may share it', async () => {
    const { attempts, bench, tries } = world(10_000);
    for (let i = 0; i < 5000; i++) {
      void tries(at('198.51.100.1', `device-${i}`));
      attempts.wasRight(at('198.51.100.1', `device-${i}`));
    }
    expect(bench.begun.length).toBe(5000);
  });
});

describe('a right password', () => {
  function checks() {
    const clock = new StillClock();
    const memory = newSignInMemory();
    const bench = new Workbench();
    const worker = () => new PasswordCheck(clock, 1, new Attempts(clock, memory));
    const hashOf = (password: string, text: string): PasswordHash => ({
      text,
      expected: Buffer.from(password),
      costMilliseconds: 60,
      async derive(given) {
        await bench.work(`hash of ${given}`, notMine);
        return given;
      },
    });
    const signIn = async (check: PasswordCheck, hash: PasswordHash, password: string) => {
      const decide = (isRight: boolean): Decision => (isRight ? { kind: 'accept', userName: 'ann' } : refuse('wrong'));
      return (await check.check(at('203.0.113.7', 'ann'), hash, Buffer.from(password), decide)).kind;
    };
    return { clock, bench, worker, hashOf, signIn };
  }

  test('is known to all workers of the node, to one that replaces another too, for a day', async () => {
    const { clock, bench, worker, hashOf, signIn } = checks();
    const hash = hashOf('pass', '$1');
    const first = signIn(worker(), hash, 'pass');
    await bench.finish();
    expect(await first).toBe('accept');
    for (let i = 0; i < 3; i++) expect(await signIn(worker(), hash, 'pass')).toBe('accept');
    clock.milliseconds += 24 * 3600 * 1000 - 1000;
    expect(await signIn(worker(), hash, 'pass')).toBe('accept');
    expect(bench.begun).toEqual(['hash of pass']);
    clock.milliseconds += 2000;
    void signIn(worker(), hash, 'pass');
    expect(bench.begun.length).toBe(2);
  });

  test('is not known for another hash, nor is another password', async () => {
    const { bench, worker, hashOf, signIn } = checks();
    const check = worker();
    const first = signIn(check, hashOf('pass', '$1'), 'pass');
    await bench.finish();
    expect(await first).toBe('accept');
    const changed = signIn(check, hashOf('new', '$2'), 'pass');
    const other = signIn(check, hashOf('pass', '$1'), 'word');
    await bench.finish(2);
    expect([await changed, await other]).toEqual(['refuse', 'refuse']);
  });

  test('costs one hash when a thousand devices with the same account come at once', async () => {
    const { bench, worker, hashOf, signIn } = checks();
    const check = worker();
    const all = Array.from({ length: 1000 }, () => signIn(check, hashOf('pass', '$1'), 'pass'));
    await bench.finish();
    expect(new Set(await Promise.all(all))).toEqual(new Set(['accept']));
    expect(bench.begun).toEqual(['hash of pass']);
  });
});

test('a queue from which waiters are served and removed at random keeps its counts, and loses nobody', () => {
  const queue = new FairQueue(1000);
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const waiting = new Set<{ served(): void }>();
  let served = 0;
  for (let step = 0; step < 20_000; step++) {
    const what = random(10);
    if (what < 5) {
      const waiter = {
        standing: random(3) as Standing,
        network: `n${random(20)}`,
        account: `a${random(5)}`,
        served: () => {
          expect(waiting.delete(waiter)).toBe(true);
          served++;
        },
      };
      waiting.add(waiter);
      if (!queue.add(waiter)) waiting.delete(waiter);
    } else if (what < 9) queue.serve();
    else {
      const [first] = waiting;
      if (first === undefined) continue;
      queue.remove(first as never);
      waiting.delete(first);
    }
    expect(queue.size).toBe(waiting.size);
  }
  while (queue.serve());
  expect([waiting.size, queue.size]).toEqual([0, 0]);
  expect(served).toBeGreaterThan(5000);
});
