/**
 * Authentication of a client, at CONNECT and again: its identity, and the exchange of AUTH packets (MQTT 5 section
 * 4.12).
 */
import type { Acceptance, Presence } from '../ports/authenticator.ts';
import type { ClientIdentity } from '../ports/authorizer.ts';

export interface SignInOwner {
  /** The client's credentials are not valid any more. */
  signInWithdrawn(reason: string): void;
}

export class SignIn implements Presence {
  userName: string | null = null;
  /** Name that the client says it has: in CONNECT, or in the data of its authentication method. */
  claimedName: string | null = null;
  /** Result of the authentication. */
  acceptance: Acceptance | null = null;
  /** Method of enhanced authentication; null: there is none. */
  method: string | null = null;
  private readonly remoteAddress: string;
  private readonly owner: SignInOwner;
  private client: ClientIdentity | null = null;
  private waiter: ((data: Buffer | null) => void) | null = null;
  private hasEnded = false;
  private tellGone: (() => void) | null = null;

  constructor(remoteAddress: string, owner: SignInOwner) {
    this.remoteAddress = remoteAddress;
    this.owner = owner;
  }

  /** Identity for the authorizer. */
  identity(clientId: string): ClientIdentity {
    this.client ??= {
      clientId,
      userName: this.userName,
      remoteAddress: this.remoteAddress,
      rules: this.acceptance?.rules,
      notes: undefined,
    };
    return this.client;
  }

  /** False: the credentials were revoked meanwhile. */
  admit(acceptance: Acceptance): boolean {
    this.acceptance?.permit?.release();
    this.acceptance = acceptance;
    this.userName = acceptance.userName;
    this.client = null;
    const { permit } = acceptance;
    if (permit === undefined) return true;
    if (permit.isWithdrawn || this.hasEnded) {
      permit.release();
      return false;
    }
    permit.whenWithdrawn((reason) => this.owner.signInWithdrawn(reason));
    return true;
  }

  /** Resolves to the data of the client's next AUTH; null: the connection ended. */
  nextData(): Promise<Buffer | null> {
    this.dataCame(null);
    return new Promise((resolve) => {
      this.waiter = resolve;
    });
  }

  /** False: no exchange waits for it. */
  dataCame(data: Buffer | null): boolean {
    const { waiter } = this;
    this.waiter = null;
    if (waiter === null) return false;
    waiter(data);
    return true;
  }

  get isGone(): boolean {
    return this.hasEnded;
  }

  whenGone(tell: (() => void) | null): void {
    this.tellGone = tell;
  }

  /** The connection has ended. */
  end(): void {
    this.hasEnded = true;
    this.tellGone?.();
    this.tellGone = null;
    this.acceptance?.permit?.release();
    this.dataCame(null);
  }
}
