import type { Credentials } from '@dunlin/broker';
import { FairQueue, networkOf, type Standing, type Waiter } from '@dunlin/broker/guards';
import { type Decision, gone, tooBusy, tooMany } from '../method.ts';
import type { Attempts } from './attempts.ts';

/** Sign-ins that wait in one lane. Most of a storm of reconnects needs no work when its turn comes, so it may be long. */
const laneMax = 4000;

/** Work that sign-ins need, some of it at the same time, the rest in turn (fair-queue.ts). */
export class Turns {
  readonly #atOnce: number;
  readonly #attempts: Attempts;
  readonly #queue = new FairQueue(laneMax);
  #running = 0;

  /** `atOnce`: at least 1. */
  constructor(atOnce: number, attempts: Attempts) {
    this.#atOnce = atOnce;
    this.#attempts = attempts;
  }

  /** Does the work when it is the turn of these credentials, unless their connection has gone by then. */
  async run(credentials: Credentials, work: () => Promise<Decision>): Promise<Decision> {
    const standing = this.#attempts.standingOf(credentials);
    if (!this.#attempts.mayTry(credentials, standing)) return tooMany;
    if (this.#running < this.#atOnce) this.#running++;
    else {
      const instead = await this.#wait(credentials, standing);
      if (instead !== null) return instead;
    }
    try {
      // Others of its network, or of its account, may have failed meanwhile.
      return this.#attempts.mayTry(credentials, standing) ? await work() : tooMany;
    } finally {
      // The place goes to the next one, if there is any.
      if (!this.#queue.serve()) this.#running--;
    }
  }

  /** Resolves to null when the turn has come. */
  #wait({ remoteAddress, userName, presence }: Credentials, standing: Standing): Promise<Decision | null> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        standing,
        network: networkOf(remoteAddress),
        account: userName ?? '',
        served: (isTurn) => {
          presence?.whenGone(null);
          resolve(isTurn ? null : tooBusy);
        },
      };
      if (presence?.isGone === true) {
        resolve(gone);
        return;
      }
      if (!this.#queue.add(waiter)) {
        resolve(tooBusy);
        return;
      }
      presence?.whenGone(() => {
        this.#queue.remove(waiter);
        resolve(gone);
      });
    });
  }
}
