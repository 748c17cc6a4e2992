import type { Clock, Credentials } from '@dunlin/broker';
import {
  networkOf,
  newSignInMemory,
  SharedMarks,
  SharedRates,
  type SignInMemory,
  type Standing,
} from '@dunlin/broker/guards';

/** Time for which a network and an account of it are known after they were right. */
const knownMilliseconds = 24 * 3600 * 1000;
/**
 * Failures that the sign-ins of a network, and those of an account, may have: so many at once, then so many a second. They bound work, not guessing:
 * thousands of devices may share one address or one account, and some of them be wrong.
 */
const ofNetwork = { perSecond: 10, burst: 200 };
const ofAccount = { perSecond: 20, burst: 400 };

/** Record of sign-ins: which were right lately, and which were wrong too often for more work. It shares its memory with the guard against guessing. */
export class Attempts {
  readonly marks: SharedMarks;
  readonly #failures: SharedRates;
  readonly #clock: Clock;

  constructor(clock: Clock, memory: SignInMemory = newSignInMemory()) {
    this.#clock = clock;
    this.marks = new SharedMarks(memory.marks);
    this.#failures = new SharedRates(memory.failures);
  }

  /** Known is an account at a network, never an account alone: strangers would learn from their turns which ones there are. */
  standingOf({ remoteAddress, userName }: Credentials): Standing {
    const network = networkOf(remoteAddress);
    const now = this.#clock.now();
    if (userName !== null && this.marks.has(this.marks.markOf('account', network, userName), now)) return 2;
    return this.marks.has(this.marks.ofNetwork(network), now) ? 1 : 0;
  }

  /** False: the network or the account has failed too often. An account that is known at its network is not locked out by what others do. */
  mayTry(credentials: Credentials, standing: Standing): boolean {
    if (standing === 2) return true;
    const now = this.#clock.now();
    if (!this.#failures.has(networkKey(credentials), ofNetwork.perSecond, ofNetwork.burst, now)) return false;
    const account = accountKey(credentials);
    return account === null || this.#failures.has(account, ofAccount.perSecond, ofAccount.burst, now);
  }

  wasRight({ remoteAddress, userName }: Credentials): void {
    const network = networkOf(remoteAddress);
    const until = this.#clock.now() + knownMilliseconds;
    this.marks.set(this.marks.ofNetwork(network), until);
    if (userName !== null) this.marks.set(this.marks.markOf('account', network, userName), until);
  }

  wasWrong(credentials: Credentials): void {
    const now = this.#clock.now();
    this.#failures.take(networkKey(credentials), ofNetwork.perSecond, ofNetwork.burst, now);
    const account = accountKey(credentials);
    if (account !== null) this.#failures.take(account, ofAccount.perSecond, ofAccount.burst, now);
  }
}

function networkKey({ remoteAddress }: Credentials): string {
  return `network ${networkOf(remoteAddress)}`;
}

/** Null: no name was given. Those who give none, such as clients with a token alone, are no account together: strangers would shut them out. */
function accountKey({ userName }: Credentials): string | null {
  return userName === null ? null : `account ${userName}`;
}
