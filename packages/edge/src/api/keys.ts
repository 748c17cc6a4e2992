import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type AdminKey, type AdminKeyStore, type AdminScope, adminScopes } from '@dunlin/broker/ports';
import type { Sender } from './endpoint.ts';
import { ApiError } from './problem.ts';

/** Time for which the keys that were read count: one that is revoked at another node ends within it. */
const keptMilliseconds = 500;
/** Interval at which the last use of a key is stored. */
const usedMilliseconds = 60_000;
/** Keys of a cluster: each is compared with what a request shows. */
const keysMax = 1000;

const bytes = 32;

export function newKey(): string {
  return randomBytes(bytes).toString('base64url');
}

export function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** True if the scope allows what the other one allows. */
export function covers(scope: AdminScope, needed: AdminScope): boolean {
  return adminScopes.indexOf(scope) >= adminScopes.indexOf(needed);
}

/** A key as the API shows it. */
export type ShownKey = Omit<AdminKey, 'hash' | 'createdAt' | 'usedAt'> & { createdAt: string; usedAt: string | null };

export function shown({ name, scope, by, createdAt, usedAt }: AdminKey): ShownKey {
  const used = usedAt === 0 ? null : new Date(usedAt).toISOString();
  return { name, scope, by, createdAt: new Date(createdAt).toISOString(), usedAt: used };
}

/** Keys of the administration API: those in the store, and the one in a file. */
export class Keys {
  readonly #store: AdminKeyStore;
  /** Key of `admin.keyFile`; null: there is no such file. */
  readonly #fileKey: () => Promise<string | null>;
  #read: Promise<AdminKey[]> | null = null;
  #readAt = Number.NEGATIVE_INFINITY;
  /** Keys as the store gave them last. */
  #last: AdminKey[] | null = null;
  readonly #usedAt = new Map<string, number>();

  constructor(store: AdminKeyStore, fileKey: () => Promise<string | null>) {
    this.#store = store;
    this.#fileKey = fileKey;
  }

  /** The sender that shows this key; null: there is none. Takes the same time wherever the key differs. */
  async senderOf(key: string): Promise<Sender | null> {
    const hash = Buffer.from(hashOf(key), 'hex');
    const fileKey = await this.#fileKey();
    const isOfFile = fileKey !== null && fileKey !== '' && timingSafeEqual(hash, Buffer.from(hashOf(fileKey), 'hex'));
    if (isOfFile) return { name: 'admin.keyFile', scope: 'admin' };
    let found: AdminKey | null = null;
    for (const each of await this.#keys()) if (timingSafeEqual(hash, Buffer.from(each.hash, 'hex'))) found = each;
    if (found === null) return null;
    this.#noteUse(found);
    return { name: found.name, scope: found.scope };
  }

  async list(): Promise<AdminKey[]> {
    this.#readAt = Number.NEGATIVE_INFINITY;
    return this.#keys();
  }

  /** Adds a key. Returns it: it is shown once. */
  async add(name: string, scope: AdminScope, by: string): Promise<{ key: string; added: AdminKey }> {
    const all = await this.list();
    if (all.some((each) => each.name === name))
      throw new ApiError(409, `name: given "${name}", which a key has already; revoke that one, or give another name`);
    if (all.length >= keysMax) throw new ApiError(409, `given one more key, allowed: ${keysMax}; revoke one`);
    const key = newKey();
    const added: AdminKey = { name, scope, hash: hashOf(key), by, createdAt: Date.now(), usedAt: 0 };
    await this.#store.put(added);
    this.#readAt = Number.NEGATIVE_INFINITY;
    return { key, added };
  }

  async revoke(name: string): Promise<boolean> {
    const existed = await this.#store.remove(name);
    this.#readAt = Number.NEGATIVE_INFINITY;
    this.#usedAt.delete(name);
    return existed;
  }

  /** Keys that were read a moment ago, or are read now: requests of one moment share it. */
  #keys(): Promise<AdminKey[]> {
    const now = performance.now();
    if (this.#read === null || now - this.#readAt > keptMilliseconds) {
      this.#readAt = now;
      this.#read = this.#readAgain();
    }
    return this.#read;
  }

  /** While the store is away those that were read last count: no key can be revoked then, and operators have questions. */
  async #readAgain(): Promise<AdminKey[]> {
    try {
      this.#last = await this.#store.list();
    } catch (error) {
      if (this.#last === null) throw error;
    }
    return this.#last;
  }

  #noteUse({ name, usedAt }: AdminKey): void {
    const now = Date.now();
    const last = Math.max(usedAt, this.#usedAt.get(name) ?? 0);
    if (now - last < usedMilliseconds) return;
    this.#usedAt.set(name, now);
    // It is only told: a store that is away at the moment costs no more than that.
    this.#store.used(name, now).catch(() => undefined);
  }
}
