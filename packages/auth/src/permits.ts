/** Permits of connected clients by what they signed in with: they end when that is withdrawn or changed. */
import type { Permit } from '@dunlin/broker/ports';

class VersionedPermit implements Permit {
  #tell: ((reason: string) => void) | null = null;
  isWithdrawn = false;
  readonly key: string;
  readonly version: string;
  readonly #released: (permit: VersionedPermit) => void;

  constructor(key: string, version: string, released: (permit: VersionedPermit) => void) {
    this.key = key;
    this.version = version;
    this.#released = released;
  }

  whenWithdrawn(tell: (reason: string) => void): void {
    this.#tell = tell;
  }

  release(): void {
    this.#released(this);
  }

  withdraw(reason: string): void {
    this.isWithdrawn = true;
    this.#tell?.(reason);
  }
}

export class Permits {
  readonly #reason: string;
  readonly #permits = new Map<string, Set<VersionedPermit>>();

  /** `reason`: for clients whose permit is withdrawn. */
  constructor(reason: string) {
    this.#reason = reason;
  }

  /** Keys that have permits, those that were compared last at the end. */
  keys(): MapIterator<string> {
    return this.#permits.keys();
  }

  has(key: string): boolean {
    return this.#permits.has(key);
  }

  /** `version`: what holds of the key now. */
  give(key: string, version: string): Permit {
    const permit = new VersionedPermit(key, version, (released) => this.#release(released));
    const others = this.#permits.get(key);
    if (others === undefined) this.#permits.set(key, new Set([permit]));
    else others.add(permit);
    return permit;
  }

  /** Ends the permits of a key that were given for another version; undefined: nothing holds of it any more. */
  compare(key: string, version: string | undefined): void {
    const permits = this.#permits.get(key);
    if (permits === undefined) return;
    this.#permits.delete(key);
    this.#permits.set(key, permits);
    for (const permit of [...permits]) {
      if (permit.version === version) continue;
      this.#release(permit);
      permit.withdraw(this.#reason);
    }
  }

  #release(permit: VersionedPermit): void {
    const permits = this.#permits.get(permit.key);
    if (permits?.delete(permit) && permits.size === 0) this.#permits.delete(permit.key);
  }
}
