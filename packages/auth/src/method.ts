import type { Acceptance, Credentials } from '@dunlin/broker';

/**
 * What one method says of a CONNECT. `not-mine`: the method knows nothing of such a client, the next one is asked. `cannot-tell`: whatever the method would have to
 * ask is away; that means no, since the answer might have been no.
 */
export type Decision =
  | Acceptance
  | { kind: 'refuse'; reason: string }
  | { kind: 'not-mine' }
  | { kind: 'cannot-tell'; reason: string };

/** The names that stand in the configuration. */
export const methodNames = ['client-certificate', 'jwt', 'redis-token', 'password-file'] as const;
export type MethodName = (typeof methodNames)[number];

/** One way to find out who a client is. Never rejects for what a client sends. */
export interface Method {
  readonly name: MethodName;
  authenticate(credentials: Credentials): Decision | Promise<Decision>;
}

export const notMine: Decision = { kind: 'not-mine' };

export function refuse(reason: string): Decision {
  return { kind: 'refuse', reason };
}

export function cannotTell(reason: string): Decision {
  return { kind: 'cannot-tell', reason };
}
