/** Permits of connected clients of the password file: they end when the line of the user is removed or changed. */
import type { Permit } from '@dunlin/broker';

class UserPermit implements Permit {
  #tell: ((reason: string) => void) | null = null;
  isWithdrawn = false;
  readonly userName: string;
  /** Text of the user's hash at the time of the sign-in. */
  readonly hash: string;
  readonly #released: (permit: UserPermit) => void;

  constructor(userName: string, hash: string, released: (permit: UserPermit) => void) {
    this.userName = userName;
    this.hash = hash;
    this.#released = released;
  }

  whenWithdrawn(tell: (reason: string) => void): void {
    this.#tell = tell;
  }

  release(): void {
    this.#released(this);
  }

  withdraw(): void {
    this.isWithdrawn = true;
    this.#tell?.('the user was removed or has another password');
  }
}

export class UserPermits {
  readonly #permits = new Map<string, Set<UserPermit>>();

  give(userName: string, hash: string): Permit {
    const permit = new UserPermit(userName, hash, (released) => this.#release(released));
    const others = this.#permits.get(userName);
    if (others === undefined) this.#permits.set(userName, new Set([permit]));
    else others.add(permit);
    return permit;
  }

  /** Ends the permits of users that are not in the new file with the same line. */
  compare(users: ReadonlyMap<string, string>): void {
    for (const [userName, permits] of [...this.#permits]) {
      for (const permit of [...permits]) {
        if (users.get(userName) === permit.hash) continue;
        this.#release(permit);
        permit.withdraw();
      }
    }
  }

  #release(permit: UserPermit): void {
    const permits = this.#permits.get(permit.userName);
    if (permits?.delete(permit) && permits.size === 0) this.#permits.delete(permit.userName);
  }
}
