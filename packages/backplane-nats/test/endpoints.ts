import { readFile } from 'node:fs/promises';
import type { Clock } from '@dunlin/broker';
import { NatsBackplane, type NatsBackplaneOptions, type ReadCredentials, type Timings } from '../src/index.ts';
import { Ear, Log } from './ear.ts';
import { realClock } from './real-clock.ts';
import { type LeasesView, SharedLeases } from './shared-leases.ts';

/** The default timings, about ten times faster, with a lease that outlives the pauses of a busy machine: all endpoints of a test share a thread. */
export const fastTimings: Timings = {
  heartbeatMilliseconds: 60,
  renewMilliseconds: 100,
  leaseMilliseconds: 1000,
  suspectMilliseconds: 300,
  askMilliseconds: 100,
  lostMilliseconds: 600,
  roundTripMilliseconds: 200,
  joinQuietMilliseconds: 60,
  joinMilliseconds: 500,
  connectMilliseconds: 30,
  attemptMilliseconds: 2000,
  pingMilliseconds: 150,
  secretMilliseconds: 50,
  refusedMilliseconds: 100,
  stopMilliseconds: 500,
};

/** A clock whose timers can be stopped, as those of a process that was killed. Timers made later work: a test ends with them. */
export class StoppableClock implements Clock {
  #cancel: (() => void)[] = [];

  now(): number {
    return Date.now();
  }

  every(milliseconds: number, callback: () => void): () => void {
    const cancel = realClock.every(milliseconds, callback);
    this.#cancel.push(cancel);
    return cancel;
  }

  nextTurn(callback: () => void): void {
    realClock.nextTurn(callback);
  }

  die(): void {
    for (const cancel of this.#cancel) cancel();
  }
}

export interface TestEndpoint {
  backplane: NatsBackplane;
  ear: Ear;
  log: Log;
  leases: LeasesView;
}

/** Endpoints of one test, which share leases. They are stopped with `close`. */
export class Endpoints {
  readonly leases = new SharedLeases();
  readonly #made: NatsBackplane[] = [];
  #names = 0;

  /** An endpoint that is not started. */
  make(servers: string, options: Partial<NatsBackplaneOptions> = {}): TestEndpoint {
    const [ear, log, leases] = [new Ear(), new Log(), this.leases.view()];
    const backplane = new NatsBackplane({
      self: `node${++this.#names}/0#${Date.now()}`,
      servers,
      leases,
      logger: log,
      clock: realClock,
      timings: fastTimings,
      connected: (isConnected) => ear.add({ kind: isConnected ? 'connected' : 'disconnected' }),
      denied: (what) => ear.add({ kind: 'denied', what }),
      evicted: () => ear.add({ kind: 'evicted' }),
      leaseLost: () => ear.add({ kind: 'leaseLost' }),
      leaseRegained: () => ear.add({ kind: 'leaseRegained' }),
      ...options,
    });
    this.#made.push(backplane);
    return { backplane, ear, log, leases };
  }

  async start(servers: string, options: Partial<NatsBackplaneOptions> = {}): Promise<TestEndpoint> {
    const endpoint = this.make(servers, options);
    await endpoint.backplane.start(endpoint.ear);
    return endpoint;
  }

  async close(): Promise<void> {
    await Promise.all(this.#made.splice(0).map((backplane) => backplane.stop()));
  }
}

export const text = (words: string): Uint8Array => new TextEncoder().encode(words);

/** Credentials as they stand in files when they are asked for. */
export function files(paths: { userFile?: string; ca?: string; certificate?: string; key?: string }): ReadCredentials {
  return async () => {
    const read = Object.entries(paths).map(async ([name, path]) => [name, await readFile(path)] as const);
    return Object.fromEntries(await Promise.all(read));
  };
}
