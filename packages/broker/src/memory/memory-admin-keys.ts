import type { AdminKey, AdminKeyStore } from '../ports/admin-key-store.ts';
import type { MemoryClaims } from './memory-claims.ts';

/** Keys of the administration API in the memory store. */
export class MemoryAdminKeys implements AdminKeyStore {
  private readonly claims: MemoryClaims;
  private readonly keys = new Map<string, AdminKey>();

  constructor(claims: MemoryClaims) {
    this.claims = claims;
  }

  async put(key: AdminKey): Promise<void> {
    this.claims.check();
    this.keys.set(key.name, { ...key });
  }

  async remove(name: string): Promise<boolean> {
    this.claims.check();
    return this.keys.delete(name);
  }

  async used(name: string, at: number): Promise<void> {
    this.claims.check();
    const key = this.keys.get(name);
    if (key !== undefined) this.keys.set(name, { ...key, usedAt: at });
  }

  async list(): Promise<AdminKey[]> {
    this.claims.check();
    return [...this.keys.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }
}
