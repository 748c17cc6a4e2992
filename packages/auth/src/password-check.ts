/**
 * Verification of passwords, a few at a time and in turn. A verified password is remembered for a while by all workers of
 * the node, so that a storm of reconnects does not cost a hash for each client.
 */
import type { Clock, Credentials } from '@dunlin/broker';
import type { Attempts } from './fair/attempts.ts';
import { Turns } from './fair/turns.ts';
import type { Decision } from './method.ts';
import { type PasswordHash, verifyPassword } from './password-hash.ts';

/**
 * Time for which a verified password is accepted without hashing it again. Removing a user works at once: the hash is
 * part of what is remembered.
 */
const rememberedMilliseconds = 24 * 3600 * 1000;

export class PasswordCheck {
  readonly #clock: Clock;
  readonly #attempts: Attempts;
  readonly #turns: Turns;

  /** `atOnce`: hashes made at the same time; each holds a thread of the pool that files and name look-ups need, too. */
  constructor(clock: Clock, atOnce: number, attempts: Attempts) {
    this.#clock = clock;
    this.#attempts = attempts;
    this.#turns = new Turns(atOnce, attempts);
  }

  /** Decides by whether the password is right, when that is known. */
  async check(
    credentials: Credentials,
    hash: PasswordHash,
    password: Buffer,
    decide: (isRight: boolean) => Decision,
  ): Promise<Decision> {
    const { marks } = this.#attempts;
    const mark = marks.markOf('password', credentials.userName ?? '', password, hash.text);
    const isRemembered = (): boolean => marks.has(mark, this.#clock.now());
    if (isRemembered()) return decide(true);
    return this.#turns.run(credentials, async () => {
      // Another client with this account may have been right meanwhile.
      const isRight = isRemembered() || (await verifyPassword(hash, password));
      if (isRight) marks.set(mark, this.#clock.now() + rememberedMilliseconds);
      return decide(isRight);
    });
  }
}
