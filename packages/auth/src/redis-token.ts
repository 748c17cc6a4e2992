/**
 * Device tokens: the user name is the device's UUID, the password its secret. A token that is revoked ends its
 * connections on every node:
 *
 * - `dunlin token revoke` writes a line into a stream; each worker reads what is new three times a second. It is a log, so no line can be missed.
 * - Tokens that vanish in another way (a plain DEL, a failover that lost the line) are found by comparing those of connected clients in turn, so many a tick: the cost does
 *   not grow with the number of clients, the time until the last is compared does.
 */
import { type Clock, type Credentials, codeOf, type Logger } from '@dunlin/broker/ports';
import type { Attempts } from './fair/attempts.ts';
import { Turns } from './fair/turns.ts';
import { events } from './log-events.ts';
import { cannotTell, type Decision, type Method, notMine, refuse } from './method.ts';
import { Permits } from './permits.ts';
import { AccessFileError } from './source-text.ts';
import { isSecretOf, readTokenRules, readUuid, type TokenRecord, type TokenRecords } from './token-records.ts';

/** A revoked token ends its connections within a second: this, and the way to Redis and back. */
const tickMilliseconds = 300;
/** Lines of the stream that are read at once. */
const linesMax = 1000;
/** Questions of sign-ins to Redis that are under way at the same time. */
const questionsMax = 64;
/** Tokens that are compared in one tick, some 10 µs each: 700 a second. */
const comparedMax = 200;

/** Secret and rules of a token in one text: who connected with others has to connect again. */
function versionOf(record: TokenRecord): string {
  return `${record.hash}\n${record.rules ?? ''}`;
}

export class RedisToken implements Method {
  readonly name = 'redis-token';
  readonly #records: TokenRecords;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #turns: Turns;
  /**
   * Permits of connected clients, by UUID, in the order in which they are compared: a compared one moves to the end.
   */
  readonly #permits = new Permits('the token was revoked or changed');
  /** Identifier of the last entry of the stream that was read; null: not known yet. */
  #place: string | null = null;
  #ticking = false;
  #isAway = false;
  #stopTicking: () => void = () => {};

  constructor(records: TokenRecords, attempts: Attempts, clock: Clock, logger: Logger) {
    this.#turns = new Turns(questionsMax, attempts);
    this.#records = records;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Begins to look after tokens that are revoked. */
  start(): void {
    this.#stopTicking = this.#clock.every(tickMilliseconds, () => void this.#tick());
  }

  stop(): void {
    this.#stopTicking();
  }

  async authenticate(credentials: Credentials): Promise<Decision> {
    const { userName, password } = credentials;
    if (userName === null || password === null || password.length === 0) return notMine;
    const uuid = readUuid(userName);
    if (uuid === null) return notMine;
    return this.#turns.run(credentials, () => this.#compareSecret(uuid, password));
  }

  async #compareSecret(uuid: string, password: Buffer): Promise<Decision> {
    try {
      const record = await this.#records.find(uuid);
      if (record === null) return notMine;
      if (!isSecretOf(record.hash, password)) return refuse('wrong secret');
      const { expiresAt } = record;
      if (expiresAt !== null && expiresAt <= this.#clock.now()) return refuse('the token has expired');
      const rules = record.rules === null ? undefined : readTokenRules(record.rules);
      const acceptance = {
        kind: 'accept' as const,
        userName: uuid,
        rules,
        permit: this.#permits.give(uuid, versionOf(record)),
      };
      return expiresAt === null ? acceptance : { ...acceptance, expiresAt };
    } catch (error) {
      if (error instanceof AccessFileError) return refuse(`the rules of the token: ${error.message}`);
      return cannotTell(`Redis cannot be asked for the token: ${(error as Error).message}`);
    }
  }

  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      await this.#readRevoked();
      await this.#compareSome();
      this.#isAway = false;
    } catch (error) {
      // Nothing is skipped: the place in the stream stays where it is until Redis answers again.
      if (!this.#isAway)
        this.#logger.warn(events['revocations.read-failed'], {
          error: (error as Error).message,
          errorCode: codeOf(error),
        });
      this.#isAway = true;
    } finally {
      this.#ticking = false;
    }
  }

  async #readRevoked(): Promise<void> {
    this.#place ??= await this.#records.lastRevoked();
    for (let more = true; more; ) {
      const lines = await this.#records.revokedAfter(this.#place, linesMax);
      const uuids = new Set(lines.map(({ uuid }) => uuid).filter((uuid) => this.#permits.has(uuid)));
      await this.#compare([...uuids]);
      if (lines.length > 0) this.#place = lines[lines.length - 1].place;
      more = lines.length === linesMax;
    }
  }

  async #compareSome(): Promise<void> {
    const uuids: string[] = [];
    for (const uuid of this.#permits.keys()) {
      uuids.push(uuid);
      if (uuids.length === comparedMax) break;
    }
    await this.#compare(uuids);
  }

  /** Ends the connections whose token has changed. Rejects when Redis cannot be asked about one of them. */
  async #compare(uuids: readonly string[]): Promise<void> {
    const records = await Promise.all(uuids.map((uuid) => this.#records.find(uuid)));
    for (let i = 0; i < uuids.length; i++) {
      const record = records[i];
      this.#permits.compare(uuids[i], record === null ? undefined : versionOf(record));
    }
  }
}
