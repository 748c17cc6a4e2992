import { expect } from 'vitest';
import type { LossyHub } from './lossy-backplane.ts';
import type { PatientClient } from './patient-client.ts';
import { Random } from './random.ts';
import type { Worker, World } from './world.ts';

/** Time passes in such steps, so that clients answer in between. */
const stepMilliseconds = 250;
/** A worker that is started while frames are lost gets a whole backplane when it has waited for so long. */
const startLossyMilliseconds = 10_000;

/** Workers on one store with a backplane that loses, and clients of theirs, driven from a seed: what the storms of these tests have in common. */
export abstract class StormWorld {
  readonly random: Random;
  readonly world: World;
  readonly hub: LossyHub;
  readonly workers: Worker[];

  constructor(seed: number, world: World, workers: Worker[]) {
    this.random = new Random(seed * 7919);
    this.world = world;
    this.hub = world.hub as LossyHub;
    this.workers = workers;
  }

  abstract get clients(): PatientClient[];

  /** Waits until nobody has anything to answer. */
  async rest(): Promise<void> {
    for (let round = 0, busy = true; busy; round++) {
      expect(round).toBeLessThan(1000);
      await this.world.clock.settle();
      busy = false;
      for (const client of this.clients) if (client.work()) busy = true;
    }
  }

  async pass(milliseconds: number): Promise<void> {
    for (let left = milliseconds; left > 0; left -= stepMilliseconds) {
      await this.world.clock.pass(Math.min(left, stepMilliseconds));
      await this.rest();
    }
  }

  /** Crashes one of the workers, and the store hears of it. */
  protected async crashOne(): Promise<Worker> {
    const dead = this.random.of(this.workers);
    this.workers.splice(this.workers.indexOf(dead), 1);
    await dead.crash();
    await this.world.store.sessions.releaseOwner(dead.broker.self, this.world.clock.now());
    return dead;
  }

  /** Another worker joins, whatever the weather. */
  protected async join(options: Parameters<World['make']>[0]): Promise<Worker> {
    const next = this.world.make(options);
    let isStarted = false;
    void next.broker.start().then(() => {
      isStarted = true;
    });
    for (let passed = 0; !isStarted; passed += stepMilliseconds) {
      if (passed > startLossyMilliseconds) this.hub.heal(); // it was cut off from the start
      expect(passed).toBeLessThan(2 * startLossyMilliseconds);
      await this.pass(stepMilliseconds);
    }
    this.workers.push(next);
    return next;
  }
}
