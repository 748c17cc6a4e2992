import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type NatsProcess, startNats } from '@dunlin/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { defaultTimings } from '../src/index.ts';
import { Events } from './ear.ts';
import { Endpoints, type TestEndpoint } from './endpoints.ts';
import type { SharedLeases } from './shared-leases.ts';

/** Message of the process: an event of its backplane, or a question to the leases. */
interface Message {
  told?: string;
  question?: number;
  name?: string;
  owner?: string;
  argument?: number | boolean;
}

async function answer(leases: SharedLeases, self: string, { name, owner = self, argument }: Message): Promise<boolean> {
  if (name === 'renew') return leases.renew(owner, Number(argument));
  if (name === 'evict') return leases.evict(owner, Boolean(argument));
  await leases.end(owner);
  return true;
}

/** An endpoint in a process of its own, with the timings of production. */
class EndpointProcess {
  readonly self: string;
  readonly told: string[] = [];
  readonly events = new Events();
  readonly child: ChildProcess;

  constructor(servers: string, self: string, leases: SharedLeases) {
    this.self = self;
    this.child = fork(new URL('./endpoint-process.ts', import.meta.url), [servers, self], {
      execArgv: ['--conditions=source'],
    });
    this.child.on('message', (message: Message) => {
      if (message.told !== undefined) {
        this.told.push(message.told);
        this.events.changed();
        return;
      }
      void answer(leases, self, message).then((value) => {
        if (this.child.connected) this.child.send({ answer: message.question, value }, () => undefined);
      });
    });
  }

  async until(told: string, milliseconds = 15_000): Promise<void> {
    await this.events.until(
      told,
      () => this.told.includes(told),
      milliseconds,
      () => this.told.join(', '),
    );
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}

let nats: NatsProcess;
let endpoints: Endpoints;
let children: EndpointProcess[];
let observers: TestEndpoint[];
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats.stop());
beforeEach(async () => {
  endpoints = new Endpoints();
  children = [];
  observers = [];
  for (let count = 0; count < 2; count++) observers.push(await endpoints.start(nats.url, { timings: defaultTimings }));
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.end()));
  await endpoints.close();
});

async function startChild(self: string): Promise<EndpointProcess> {
  const child = new EndpointProcess(nats.url, self, endpoints.leases);
  children.push(child);
  await child.until('started');
  for (const { ear } of observers) {
    await ear.until('joined', self);
    await ear.untilText(`${self} runs`);
  }
  return child;
}

describe('an endpoint in a process of its own', () => {
  test('that is killed has left for everyone within 5 seconds, once', async () => {
    const child = await startChild('child/0#1');
    child.child.kill('SIGKILL');
    const killedAt = Date.now();
    await Promise.all(observers.map(({ ear }) => ear.until('left', child.self)));
    expect(Date.now() - killedAt).toBeLessThan(5000);
    // Not before its lease was over: until then nobody can know.
    expect(endpoints.leases.evicted.has(child.self)).toBe(true);
    for (const { ear } of observers) {
      expect(ear.count('left', child.self)).toBe(1);
      expect(ear.heard.at(-1)).toEqual({ kind: 'left', endpoint: child.self });
    }
  });

  test('that stands still has left, and is evicted when it goes on, before anything of it is heard', async () => {
    const child = await startChild('child/0#1');
    child.child.kill('SIGSTOP');
    const stoppedAt = Date.now();
    await Promise.all(observers.map(({ ear }) => ear.until('left', child.self)));
    // For the rest of the ten seconds nothing may change.
    const ticks = new Events();
    const timer = setInterval(() => ticks.changed(), 100);
    await ticks.until('the end of ten seconds', () => Date.now() - stoppedAt >= 10_000, 15_000);
    clearInterval(timer);
    child.child.kill('SIGCONT');
    await child.until('evicted');
    // A message from here to there and back: what the child may have sent before it was evicted has been heard.
    observers[0].backplane.send(observers[1].backplane.self, Buffer.from('after'));
    await observers[1].ear.untilText('after');
    for (const { ear } of observers) {
      const last = ear.heard.findLastIndex((heard) => 'endpoint' in heard && heard.endpoint === child.self);
      expect(ear.heard[last].kind).toBe('left');
      expect(ear.count('joined', child.self)).toBe(1);
    }
    expect(child.told.filter((told) => told === 'evicted')).toHaveLength(1);
    expect(child.told.filter((told) => told.startsWith('left'))).toEqual([]);
  });

  test('that stands still for less than its lease stays a member', async () => {
    const child = await startChild('child/0#1');
    child.child.kill('SIGSTOP');
    const stoppedAt = Date.now();
    const ticks = new Events();
    const timer = setInterval(() => ticks.changed(), 50);
    // Without its heartbeat for longer than five of them, but its lease, renewed at most a second before, holds.
    await ticks.until('the end of the pause', () => Date.now() - stoppedAt >= 1500);
    clearInterval(timer);
    child.child.kill('SIGCONT');
    const { ear } = observers[0];
    const before = ear.texts(child.self).length;
    await ear.events.until('it runs again', () => ear.texts(child.self).length > before + 2);
    expect(ear.count('left')).toBe(0);
    expect(child.told).not.toContain('evicted');
  });

  test('that starts again under a new name replaces the one before at once', async () => {
    const first = await startChild('child/0#1');
    first.child.kill('SIGKILL');
    const killedAt = Date.now();
    const second = await startChild('child/0#2');
    await Promise.all(observers.map(({ ear }) => ear.until('left', first.self)));
    expect(Date.now() - killedAt).toBeLessThan(defaultTimings.suspectMilliseconds);
    expect(endpoints.leases.evicted.has(first.self)).toBe(true);
    for (const { ear, log } of observers) {
      expect(ear.count('left')).toBe(1);
      expect(ear.count('joined', second.self)).toBe(1);
      expect(log.matching(/replaced by a newer/)).toHaveLength(1);
    }
  });
});
