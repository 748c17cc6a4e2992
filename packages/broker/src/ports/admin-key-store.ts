/** Scopes of keys for the administration API, from low to high: each allows what those before it allow. */
export const adminScopes = ['read', 'write', 'admin'] as const;
export type AdminScope = (typeof adminScopes)[number];

/** A key of the administration API. The key itself is stored nowhere. */
export interface AdminKey {
  readonly name: string;
  readonly scope: AdminScope;
  /** SHA-256 of the key, in hexadecimal digits. */
  readonly hash: string;
  /** Name of the key that it was added with, or of the door. */
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970, to about a minute; 0: never. */
  readonly usedAt: number;
}

/** Port: keys of the administration API, some hundred at most. What holds for every part of a store is said in store.ts. */
export interface AdminKeyStore {
  /** Adds a key, or replaces the one with the same name. */
  put(key: AdminKey): Promise<void>;
  /** False: there was no key with this name. */
  remove(name: string): Promise<boolean>;
  /** Notes a use of the key with this name; without effect where there is none. */
  used(name: string, at: number): Promise<void>;
  /** All keys, in the order of their names. */
  list(): Promise<AdminKey[]>;
}
