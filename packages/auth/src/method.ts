import type { Acceptance, AuthenticationExchange, Credentials } from '@dunlin/broker';

/**
 * Answer of one method to a CONNECT. `not-mine`: the method knows nothing of such a client, and the next method is
 * asked. `cannot-tell`: a server that the method has to ask is away; that means no, since the answer might have been
 * no. `overloaded`: too much else was to be done. `gone`: the connection was closed meanwhile.
 */
export type Decision =
  | Acceptance
  | { kind: 'refuse'; reason: string }
  | { kind: 'not-mine' }
  | { kind: 'cannot-tell'; reason: string }
  | { kind: 'overloaded'; reasonCode: number; reason: string }
  | { kind: 'gone' };

/** The names that stand in the configuration. */
export const methodNames = ['client-certificate', 'jwt', 'redis-token', 'password-file', 'http'] as const;
export type MethodName = (typeof methodNames)[number];

/** Method of authentication. It never rejects because of what a client sends. */
export interface Method {
  readonly name: MethodName;
  authenticate(credentials: Credentials): Decision | Promise<Decision>;
  /** Begins enhanced authentication; null: not by this mechanism. Absent: by none. */
  exchange?(mechanism: string, credentials: Credentials): AuthenticationExchange | null;
}

export const notMine: Decision = { kind: 'not-mine' };
export const gone: Decision = { kind: 'gone' };
/** Server busy. */
export const tooBusy = {
  kind: 'overloaded' as const,
  reasonCode: 0x89,
  reason: 'too many sign-ins wait',
} satisfies Decision;
/** Connection rate exceeded. */
export const tooMany = {
  kind: 'overloaded' as const,
  reasonCode: 0x9f,
  reason: 'too many sign-ins of this address or account have failed',
} satisfies Decision;

export function refuse(reason: string): Decision {
  return { kind: 'refuse', reason };
}

export function cannotTell(reason: string): Decision {
  return { kind: 'cannot-tell', reason };
}
