/**
 * Verification of passwords, a few at a time. A verified password is cached for a while, so that a storm of reconnects
 * does not cost a hash for each client.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '@dunlin/broker';
import { ExpiringMap } from './expiring-map.ts';
import { type PasswordHash, verifyPassword } from './password-hash.ts';

/** Checks that wait for their turn. At 60 ms each the last of them waits for longer than a CONNECT may take. */
const waitingMax = 1000;
/**
 * Time for which a verified password is accepted without hashing it again, and the number of such passwords. Removing a
 * user works at once: the hash is part of what is remembered.
 */
const rememberedMilliseconds = 60_000;
const rememberedMax = 10_000;

export class PasswordCheck {
  readonly #clock: Clock;
  readonly #atOnce: number;
  /** Key of this process alone: remembered passwords are worth nothing elsewhere. */
  readonly #key = randomBytes(32);
  readonly #remembered: ExpiringMap<true>;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** `atOnce`: hashes made at the same time; each holds a thread of the pool that files and name look-ups need, too. */
  constructor(clock: Clock, atOnce: number) {
    this.#clock = clock;
    this.#atOnce = atOnce;
    this.#remembered = new ExpiringMap(clock, rememberedMax);
  }

  /** Null: too many wait already. */
  async check(userName: string, hash: PasswordHash, password: Buffer): Promise<boolean | null> {
    const mark = this.#mark(userName, hash, password);
    if (this.#remembered.get(mark) === true) return true;
    if (this.#running >= this.#atOnce) {
      if (this.#waiting.length >= waitingMax) return null;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      const isRight = await verifyPassword(hash, password);
      if (isRight) this.#remembered.set(mark, true, this.#clock.now() + rememberedMilliseconds);
      return isRight;
    } finally {
      // The place goes to the next one, if there is any.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #mark(userName: string, hash: PasswordHash, password: Buffer): string {
    const lengths = `${Buffer.byteLength(userName)} ${password.length} `;
    return createHmac('sha256', this.#key)
      .update(lengths)
      .update(userName)
      .update(password)
      .update(hash.text)
      .digest('base64');
  }
}
