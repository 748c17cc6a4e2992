import type { Acceptance, AuthenticationExchange, Credentials } from '@dunlin/broker';

/**
 * Answer of one method to a CONNECT. `not-mine`: the method knows nothing of such a client, and the next method is
 * asked. `cannot-tell`: a server that the method has to ask is away; that means no, since the answer might have been
 * no.
 */
export type Decision =
  | Acceptance
  | { kind: 'refuse'; reason: string }
  | { kind: 'not-mine' }
  | { kind: 'cannot-tell'; reason: string };

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

export function refuse(reason: string): Decision {
  return { kind: 'refuse', reason };
}

export function cannotTell(reason: string): Decision {
  return { kind: 'cannot-tell', reason };
}
