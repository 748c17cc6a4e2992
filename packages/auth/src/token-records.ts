/**
 * Device tokens in Redis. A table of its keys, each behind the name of the cluster:
 *
 * | key | type | what |
 * | --- | --- | --- |
 * | `PREFIX:token:UUID` | hash | `hash` of the secret, `created`, `expires` in milliseconds since 1970 if it ends by itself, and `rules` of its client as JSON if it has any; gone when revoked |
 * | `PREFIX:{tokens}:names` | sorted set | every UUID by the moment it was added, for `dunlin token list` |
 * | `PREFIX:{tokens}:revoked` | stream | a line for each token that was revoked or replaced, from which nodes learn of it |
 */
import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { rulesOfClaim } from './jwt-rules.ts';
import type { RedisCalls } from './redis-calls.ts';
import type { Rule } from './rule.ts';
import { AccessFileError } from './source-text.ts';

const secretBytes = 32;
const saltBytes = 16;
/** A secret is hashed once, not a thousand times, so it must not be one that can be guessed. */
export const secretLengthMin = 20;
/** Lines of the stream: a node that was away for longer compares all tokens of its clients. */
const revokedMax = 10_000;
const listPage = 500;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Returns the UUID in small letters; null: the text is none. */
export function readUuid(text: string): string | null {
  const uuid = text.toLowerCase();
  return uuidPattern.test(uuid) ? uuid : null;
}

export interface TokenRecord {
  readonly hash: string;
  /** Milliseconds since 1970; null: never. */
  readonly expiresAt: number | null;
  /** Rules of the client as JSON, as in the claim of a token; null: it has none of its own. */
  readonly rules: string | null;
}

export interface ListedToken {
  readonly uuid: string;
  readonly createdAt: number;
}

export interface NewToken {
  /** Absent: a new one. */
  uuid?: string;
  /** Absent: a new one. */
  secret?: string;
  /** Absent: it does not end by itself. */
  lifetimeSeconds?: number;
  /** Rules of the client as JSON, as in the claim of a token; absent: none of its own. */
  rules?: string;
}

export class TokenRecords {
  readonly #redis: RedisCalls;
  readonly #prefix: string;

  constructor(redis: RedisCalls, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /** Null: there is no such token. Rejects when Redis cannot be asked. */
  async find(uuid: string): Promise<TokenRecord | null> {
    const key = this.#key(uuid);
    const names = ['hash', 'expires', 'rules'];
    const [hash, expires, rules] = (await this.#redis.call(key, 'HMGET', [key, ...names])) as (Buffer | null)[];
    if (hash === null) return null;
    return {
      hash: String(hash),
      expiresAt: expires === null ? null : Number(expires),
      rules: rules === null ? null : String(rules),
    };
  }

  /**
   * Adds a token, or replaces one with its secret and rules. The secret is returned here and never again.
   *
   * @throws AccessFileError where the rules are none
   */
  async add({ uuid = randomUUID(), secret, lifetimeSeconds, rules }: NewToken, now: number): Promise<[string, string]> {
    if (rules !== undefined) readTokenRules(rules);
    const chosen = secret ?? randomBytes(secretBytes).toString('base64url');
    const key = this.#key(uuid);
    const existed = Number(await this.#redis.call(key, 'DEL', [key])) > 0;
    const fields = ['hash', hashSecret(chosen), 'created', String(now)];
    const expiresAt = lifetimeSeconds === undefined ? null : now + lifetimeSeconds * 1000;
    if (expiresAt !== null) fields.push('expires', String(expiresAt));
    if (rules !== undefined) fields.push('rules', rules);
    await this.#redis.call(key, 'HSET', [key, ...fields]);
    if (expiresAt !== null) await this.#redis.call(key, 'PEXPIREAT', [key, String(expiresAt)]);
    await this.#redis.call(this.#names, 'ZADD', [this.#names, String(now), uuid]);
    if (existed) await this.#tell(uuid);
    return [uuid, chosen];
  }

  /**
   * Gives a token other rules, or none (null). Its connections end, and come back with them. False: there is no such
   * token.
   *
   * @throws AccessFileError where the rules are none
   */
  async setRules(uuid: string, rules: string | null): Promise<boolean> {
    if (rules !== null) readTokenRules(rules);
    const key = this.#key(uuid);
    if ((await this.find(uuid)) === null) return false;
    if (rules === null) await this.#redis.call(key, 'HDEL', [key, 'rules']);
    else await this.#redis.call(key, 'HSET', [key, 'rules', rules]);
    await this.#tell(uuid);
    return true;
  }

  /**
   * Revokes a token. False: there was no such token; clients that connected with it earlier are disconnected also then.
   */
  async revoke(uuid: string): Promise<boolean> {
    const key = this.#key(uuid);
    const existed = Number(await this.#redis.call(key, 'DEL', [key])) > 0;
    await this.#tell(uuid);
    await this.#redis.call(this.#names, 'ZREM', [this.#names, uuid]);
    return existed;
  }

  /** The tokens that hold, oldest first, a page at a time. */
  async *list(): AsyncGenerator<ListedToken> {
    for (let from = 0; ; from += listPage) {
      const range = [this.#names, String(from), String(from + listPage - 1), 'WITHSCORES'];
      const flat = ((await this.#redis.call(this.#names, 'ZRANGE', range)) as Buffer[]).map(String);
      const page = flat.filter((_, i) => i % 2 === 0).map((uuid, i) => ({ uuid, createdAt: Number(flat[2 * i + 1]) }));
      const found = await Promise.all(page.map(({ uuid }) => this.find(uuid)));
      yield* page.filter((_, i) => found[i] !== null);
      if (page.length < listPage) return;
    }
  }

  #tell(uuid: string): Promise<unknown> {
    const key = this.#revoked;
    return this.#redis.call(key, 'XADD', [key, 'MAXLEN', '~', String(revokedMax), '*', 'uuid', uuid]);
  }

  /** The place in the stream of what was revoked last. */
  async lastRevoked(): Promise<string> {
    const key = this.#revoked;
    const entries = (await this.#redis.call(key, 'XREVRANGE', [key, '+', '-', 'COUNT', '1'])) as [Buffer][];
    return entries.length === 0 ? '0-0' : String(entries[0][0]);
  }

  /** Identifiers revoked after that place, oldest first, with their places. */
  async revokedAfter(place: string, count: number): Promise<{ place: string; uuid: string }[]> {
    const key = this.#revoked;
    const range = [key, `(${place}`, '+', 'COUNT', String(count)];
    const entries = (await this.#redis.call(key, 'XRANGE', range)) as [Buffer, Buffer[]][];
    return entries.map(([id, fields]) => ({ place: String(id), uuid: String(fields[1]) }));
  }

  #key(uuid: string): string {
    return `${this.#prefix}:token:${uuid}`;
  }

  get #names(): string {
    return `${this.#prefix}:{tokens}:names`;
  }

  get #revoked(): string {
    return `${this.#prefix}:{tokens}:revoked`;
  }
}

/**
 * Rules of a token's client.
 *
 * @throws AccessFileError
 */
export function readTokenRules(text: string): Rule[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AccessFileError(`the rules are no JSON: ${(error as Error).message}`);
  }
  return rulesOfClaim(value);
}

function digest(salt: Buffer, secret: Buffer): Buffer {
  return createHash('sha256').update(salt).update(secret).digest();
}

function hashSecret(secret: string): string {
  const salt = randomBytes(saltBytes);
  return `sha256$${salt.toString('base64url')}$${digest(salt, Buffer.from(secret)).toString('base64url')}`;
}

export function isSecretOf(hash: string, secret: Buffer): boolean {
  const [kind, salt, expected] = hash.split('$');
  if (kind !== 'sha256' || expected === undefined) return false;
  const wanted = Buffer.from(expected, 'base64url');
  const given = digest(Buffer.from(salt, 'base64url'), secret);
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}
