import type { Limits } from './limits.ts';
import { StoreError } from './store-error.ts';

/** Amount that is stored of one kind. */
export interface Usage {
  count: number;
  bytes: number;
}

/** Limits of what is stored of one kind, in all and of one user. */
export interface Quota {
  countMax: number;
  bytesMax: number;
  userCountMax: number;
  userBytesMax: number;
}

/** User whose quota a stored item counts against, and the limits. All anonymous clients together are one user, with an empty name. */
export interface Charge {
  user: string;
  quota: Quota;
}

/** Kinds that have quotas, as error messages name them. */
export type QuotaKind = 'retained messages' | 'delayed messages' | 'sessions';

const limitNames: Record<QuotaKind, Record<keyof Quota, string>> = {
  'retained messages': {
    countMax: 'retainedMessagesMax',
    bytesMax: 'retainedBytesMax',
    userCountMax: 'retainedMessagesPerUserMax',
    userBytesMax: 'retainedBytesPerUserMax',
  },
  'delayed messages': {
    countMax: 'delayedMessagesMax',
    bytesMax: 'delayedBytesMax',
    userCountMax: 'delayedMessagesPerUserMax',
    userBytesMax: 'delayedBytesPerUserMax',
  },
  sessions: {
    countMax: 'sessionsStoredMax',
    bytesMax: '',
    userCountMax: 'sessionsPerUserMax',
    userBytesMax: '',
  },
};

/** In the order in which the limits of a quota are checked. */
export const quotaLimits: readonly (keyof Quota)[] = ['countMax', 'bytesMax', 'userCountMax', 'userBytesMax'];

/** The limit that is exceeded when these amounts are added to what there is; null: none. What becomes less always fits. */
export function exceededLimit(
  quota: Quota,
  all: Usage,
  addToAll: Usage,
  ofUser: Usage,
  addToUser: Usage,
): keyof Quota | null {
  if (addToAll.count > 0 && all.count + addToAll.count > quota.countMax) return 'countMax';
  if (addToAll.bytes > 0 && all.bytes + addToAll.bytes > quota.bytesMax) return 'bytesMax';
  if (addToUser.count > 0 && ofUser.count + addToUser.count > quota.userCountMax) return 'userCountMax';
  if (addToUser.bytes > 0 && ofUser.bytes + addToUser.bytes > quota.userBytesMax) return 'userBytesMax';
  return null;
}

/** Rejection of a write that exceeds this limit. */
export function quotaError(kind: QuotaKind, { user, quota }: Charge, limit: keyof Quota): StoreError {
  const what = limit === 'bytesMax' || limit === 'userBytesMax' ? `bytes of ${kind}` : kind;
  const owner = user === '' ? 'anonymous clients' : `user "${user}"`;
  const whose = limit === 'countMax' || limit === 'bytesMax' ? 'all clients' : owner;
  return new StoreError(
    'quota-exceeded',
    `one more would exceed the ${what} that ${whose} may have: limits.${limitNames[kind][limit]} is ${quota[limit]}`,
  );
}

export function sessionQuota({ sessionsStoredMax, sessionsPerUserMax }: Limits): Quota {
  const bytesMax = Number.MAX_SAFE_INTEGER;
  return { countMax: sessionsStoredMax, bytesMax, userCountMax: sessionsPerUserMax, userBytesMax: bytesMax };
}
