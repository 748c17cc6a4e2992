/** Questions to an HTTP service about clients, and its answers; both known formats make one of these. */
import type { Credentials } from '@dunlin/broker';
import type { Rule } from '../rule.ts';
import { readRules } from '../rules/read-rules.ts';

/** Answer of the service to a CONNECT. */
export type SignInAnswer =
  | {
      readonly kind: 'allow';
      readonly isSuperuser: boolean;
      readonly expiresAt: number | null;
      readonly rules: Rule[] | null;
    }
  | { readonly kind: 'deny'; readonly reason: string }
  /** No opinion: the next method is asked. */
  | { readonly kind: 'ignore' };

/** Request of a client. */
export interface RightsQuestion {
  readonly clientId: string;
  readonly userName: string | null;
  readonly remoteAddress: string;
  readonly action: 'publish' | 'subscribe';
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
}

/** A format: how a service is asked, and how its answers are read. Every method rejects with HttpServiceError where there is no answer that can be used. */
export interface HttpFormat {
  signIn(credentials: Credentials): Promise<SignInAnswer>;
  /** Null: the service has no opinion. */
  rights(question: RightsQuestion): Promise<boolean | null>;
}

/** Rules of a client who may do everything. */
export const superuserRules: readonly Rule[] = readRules(
  [
    { allow: 'connect', anonymous: true },
    { allow: 'all', anonymous: true, topics: ['#', '$SYS/#'] },
  ],
  (_, what) => {
    throw new TypeError(what);
  },
);
