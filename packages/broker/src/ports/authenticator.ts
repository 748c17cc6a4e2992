import type { ClientCertificate } from './transport.ts';

/** The connection that credentials came by, for work that makes them wait. */
export interface Presence {
  readonly isGone: boolean;
  /** Calls back when the connection is gone, once; null: it need not any more. Only the last one is called. */
  whenGone(tell: (() => void) | null): void;
}

/** Port: who may connect. */
export interface Credentials {
  clientId: string;
  userName: string | null;
  password: Buffer | null;
  remoteAddress: string;
  listener: string;
  version: 3 | 4 | 5;
  /** Null: none was shown, or the listener asks for none. */
  clientCertificate: ClientCertificate | null;
  /** Absent: it does not go. */
  presence?: Presence;
}

/**
 * Permit that an acceptance rests on, when it can be withdrawn before its time. The authenticator ends it, once; the
 * connection releases it, once, when it closes or is refused for another reason.
 */
export interface Permit {
  /** The connection asks to be told when the permit is withdrawn; once, and not after `release`. */
  whenWithdrawn(tell: (reason: string) => void): void;
  /** True: it was withdrawn already, perhaps before anybody could be told. */
  readonly isWithdrawn: boolean;
  /** The connection is gone: nobody need look after the permit any more. */
  release(): void;
}

export interface Acceptance {
  kind: 'accept';
  /** The name that the client has proved to have; null: none. */
  userName: string | null;
  /** Name of the method that has decided, for the audit log; absent: none has, the client is anonymous. */
  method?: string;
  /** Data for the client, at the end of enhanced authentication. */
  data?: Buffer;
  /** Milliseconds since 1970: the connection ends then. Absent: never. */
  expiresAt?: number;
  /** Permissions of the client for the authorizer, which alone knows their shape. */
  rules?: unknown;
  permit?: Permit;
}

/** `accept`: in, under this name. `refuse`: a reason code of CONNACK (0x86, 0x87, …). `gone`: the connection went while it waited; nobody is answered. `continue`: enhanced authentication wants another AUTH from the client. */
export type AuthenticationResult =
  | Acceptance
  | {
      kind: 'refuse';
      reasonCode: number;
      reason: string;
      /** Fields for the log, which may say more than the client hears; never what lets somebody in. */
      told?: { readonly user: string; readonly method: string; readonly reason: string };
    }
  | { kind: 'gone' }
  | { kind: 'continue'; data: Buffer };

/** Conversation of enhanced authentication (MQTT 5, section 4.12). */
export interface AuthenticationExchange {
  /** Name that the client says it has, before it has proved it; null or absent: it has said none. */
  readonly claimedName?: string | null;
  step(data: Buffer): Promise<AuthenticationResult>;
}

export interface Authenticator {
  authenticate(credentials: Credentials): AuthenticationResult | Promise<AuthenticationResult>;
  /** Begins enhanced authentication; null: the method is not known here (0x8C). */
  exchange(method: string, credentials: Credentials): AuthenticationExchange | null;
}
