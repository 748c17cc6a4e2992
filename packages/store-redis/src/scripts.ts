// A table of scripts: which keys each takes of a shard.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Family } from './keys.ts';

export interface Script {
  readonly name: string;
  readonly family: Family;
  /** The keys of each shard, by name, in the order in which the script takes them. */
  readonly shardKeys: readonly string[];
  readonly writes: boolean;
  readonly source: string;
  readonly sha: string;
}

/** Source and build both lie beside `src`, which has the files. */
const directory = new URL('../src/scripts/', import.meta.url);

function read(name: string): string {
  return readFileSync(new URL(`${name}.lua`, directory), 'utf8');
}

/**
 * Scripts that free memory, move something on, renew a lease or ban a client run also when the memory of Redis is full:
 * otherwise reading could not empty it, nodes would be evicted, and an attacker that fills it could not be banned. The others are refused whole, at their first command that
 * writes. The flag needs Redis 7.0 or Valkey.
 */
const allowed = new Set([
  ...[
    'trim',
    'logs-measure',
    'cursors',
    'cursor-finish',
    'update',
    'release',
    'release-owner',
    'claim',
    'end-session',
    'producers-forget',
  ],
  ...[
    'group-claim',
    'group-update',
    'group-reserve',
    'will-schedule',
    'will-take',
    'will-remove',
    'delayed-take',
    'delayed-remove',
    'ban-put',
    'ban-remove',
    'ban-expire',
  ],
  ...['lease-renew', 'lease-evict', 'inbound-set', 'era', 'usage-recount', 'users-heal', 'retained-expire'],
]);

function script(name: string, family: Family, shardKeys: string[], writes = true, parts = ''): Script {
  const flags = allowed.has(name) ? '#!lua flags=allow-oom\n' : '';
  const source = flags + parts + read(name);
  return { name, family, shardKeys, writes, source, sha: createHash('sha1').update(source).digest('hex') };
}

const ownerParts = read('owner-parts');
const cursorParts = ownerParts + read('cursor-parts');
const groupParts = cursorParts + read('group-parts');
const sessionParts = read('session-parts');
const usageParts = read('usage-parts');

/** `keysEach`: keys of each change. */
function session(name: string, keysEach: 1 | 2 = 1): Script {
  const keys = ['counters', 'owned', 'expiry', 'wills', 'willdue', 'jobs'];
  return script(name, 's', keys, true, `local keysEach = ${keysEach}\n${sessionParts}`);
}

/** Script that may end a session: takes the key that a large one goes to beside its own. */
function ending(name: string): Script {
  return session(name, 2);
}

function group(name: string): Script {
  const keys = ['heads', 'filled', 'ends', 'groups', 'groupepoch', 'taken', 'logbytes'];
  return script(name, 'l', keys, true, groupParts);
}

const banKeys = ['bans', 'banchanges', 'banends', 'bancounts'];

export const scripts = {
  append: script('append', 'l', ['heads', 'filled', 'taken', 'logbytes'], true, ownerParts),
  era: script('era', 'l', []),
  readLog: script('read-log', 'l', ['heads', 'ends'], false),
  cursors: script('cursors', 'l', ['heads', 'filled', 'ends', 'taken', 'logbytes'], true, cursorParts),
  groupMember: group('group-member'),
  groupClaim: group('group-claim'),
  groupUpdate: group('group-update'),
  groupReserve: group('group-reserve'),
  producersForget: script('producers-forget', 'l', ['taken']),
  trim: script('trim', 'l', ['heads', 'filled', 'logbytes']),
  logsMeasure: script('logs-measure', 'l', ['heads', 'logbytes']),
  claim: ending('claim'),
  release: ending('release'),
  update: session('update'),
  subscribe: session('subscribe'),
  cursorFinish: session('cursor-finish'),
  endSession: ending('end-session'),
  releaseOwner: ending('release-owner'),
  willSet: session('will-set'),
  willSchedule: session('will-schedule'),
  willTake: session('will-take'),
  willRemove: session('will-remove'),
  producerCheck: session('producer-check'),
  inboundSet: session('inbound-set'),
  owners: script('owners', 's', ['owned'], false),
  /** The keys that the caller reads, in every shard. */
  everyShard: script('every-shard', 's', [], false),
  retainedSet: script('retained-set', 'r', ['topics', 'records', 'usage', 'users'], true, usageParts),
  usersHeal: script('users-heal', 's', ['counters']),
  usageRecount: script('usage-recount', 'r', [], true, usageParts),
  retainedExpire: script('retained-expire', 'r', ['topics', 'records', 'usage', 'users'], true, usageParts),
  retainedRead: script('retained-read', 'r', ['topics', 'records'], false),
  delayedAdd: script('delayed-add', 'd', ['due', 'delayed', 'usage'], true, usageParts),
  delayedTake: script('delayed-take', 'd', ['due', 'delayed', 'usage']),
  delayedRemove: script('delayed-remove', 'd', ['due', 'delayed', 'usage'], true, usageParts),
  banPut: script('ban-put', 'b', banKeys),
  banRemove: script('ban-remove', 'b', banKeys),
  banExpire: script('ban-expire', 'b', banKeys),
  banChanges: script('ban-changes', 'b', [], false),
  leaseRenew: script('lease-renew', 's', []),
  leaseEvict: script('lease-evict', 's', []),
  /** Script of no shard: it asks about the user of the connection. */
  permissions: script('permissions', 's', [], false),
} as const;

export const allScripts: readonly Script[] = Object.values(scripts);
