import { createHash } from 'node:crypto';

/**
 * Keys of the store. Numbers in keys are 64-bit floats, big-endian: for numbers not below zero their bytes sort like the numbers, up
 * to and including Infinity. `text` is the string itself behind a byte 1, or, when it is longer than an LMDB key may be, its SHA-256 behind
 * a byte 2 (the value then holds the string). `digest` is the first 16 bytes of the string's SHA-256.
 *
 * | table         | key                                             | value                                  | lives                                   | tag in Redis |
 * | ------------- | ----------------------------------------------- | -------------------------------------- | --------------------------------------- | ------------ |
 * | `meta`        | name                                            | version of the file; counters          | for ever                                | none         |
 * | `session`     | text(client identifier)                         | number, epoch, owner, expiry …         | until the session ends                  | session      |
 * | `part`        | session number, `s`, text(filter)               | subscription                           | with the session or until unsubscribed  | session      |
 * |               | session number, `c`, log number                 | cursor                                 | with the subscription                   | session      |
 * |               | session number, `o`, packet identifier          | outbound in-flight message             | until its handshake ends                | session      |
 * |               | session number, `i`, packet identifier          | producer number of an inbound message, digest | until PUBREL                            | session      |
 * | `expiry`      | time, session number                            | client identifier                      | while disconnected                      | none         |
 * | `owner`       | digest(owner), `s` or `w`, digest(client)       | owner, client identifier               | while the owner holds the claim or will | none         |
 * | `filter`      | text(filter)                                    | log number, ends, size, cursor count   | 1,024 of those that are durable no more | log          |
 * | `log`         | log number, sequence                            | expiry, message or number in `shared`  | until trimmed                           | log          |
 * | `shared`      | number, `m` or `n`                              | message; count of logs that refer to it | until the last of these is trimmed     | log          |
 * | `slowest`     | log number, acknowledged, session or group number | nothing                                | with the cursor; the first is slowest   | log          |
 * | `group`       | text(group)                                     | number, epoch, members, log number, cursor | until the last durable member leaves | log          |
 * | `groupTake`   | group number, sequence                          | client identifier, epoch, final or not    | until the cursor has passed it          | log          |
 * | `producer`    | digest(client), producer number, log number     | sequence                               | until PUBREL or the session ends        | log          |
 * | `garbage`     | log number                                      | nothing                                | until trimming has removed the messages | log          |
 * | `retained`    | topic, level by level (below)                   | expiry, message                        | until replaced, removed or expired      | retained     |
 * | `retainedLong`| start of the topic, 0xff, SHA-256               | expiry, topic, message                 | the same                                | retained     |
 * | `retainedUser`| key in `retained` or `retainedLong`             | user whose quota it counts against     | with the message; none: no user         | retained     |
 * | `usage`       | kind, `a` (all) or `u`, text(user)              | count, bytes                           | while there is any                      | none         |
 * | `will`        | text(client identifier)                         | owner, epoch, times, message           | until removed                           | session      |
 * | `willDue`     | time, digest(client)                            | client identifier                      | while due or handed out                 | none         |
 * | `delayed`     | number                                          | time in `delayedDue`, message          | until removed                           | none         |
 * | `delayedDue`  | time, number                                    | user whose quota it counts against     | the same                                | none         |
 * | `ban`         | number of the change                            | times, names, reason, its maker        | until removed or ended                  | none         |
 * | `banName`     | text(names as JSON)                             | number of the change                   | the same                                | none         |
 * | `banEnd`      | time, number of the change                      | nothing                                | the same; only with an end              | none         |
 * | `adminKey`    | text(name)                                      | times, name, scope, SHA-256, its maker | until revoked                           | none         |
 *
 * `groupTake` holds reservations (`GroupReservation`): tables keep the names that they have in stored files.
 *
 * In the second environment, which is never flushed (see claims.ts):
 *
 * | table         | key                                             | value                                  | lives                                   |
 * | ------------- | ----------------------------------------------- | -------------------------------------- | --------------------------------------- |
 * | `claim`       | text(client identifier)                         | epoch, owner                           | while an ephemeral session is connected |
 * | `claimOwner`  | digest(owner), text(client identifier)          | owner, client identifier               | the same                                |
 * | `claimMeta`   | name                                            | highest epoch given                    | for ever                                |
 */
export const mainTables = [
  'meta',
  'session',
  'part',
  'expiry',
  'owner',
  'filter',
  'log',
  'shared',
  'slowest',
  'group',
  'groupTake',
  'producer',
  'garbage',
  'retained',
  'retainedLong',
  'retainedUser',
  'usage',
  'will',
  'willDue',
  'delayed',
  'delayedDue',
  'ban',
  'banName',
  'banEnd',
  'adminKey',
] as const;
export const claimTables = ['claim', 'claimOwner', 'claimMeta'] as const;

/** Longest key that LMDB takes with its usual page of 4096 bytes. */
export const KEY_BYTES_MAX = 1978;
/** Longer strings are hashed: leaves room for the fixed fields around them. */
const TEXT_BYTES_MAX = 1024;
/** Encoded topics above this go to `retainedLong`, which keeps this much of their start in the key. */
export const TOPIC_KEY_BYTES_MAX = 1536;

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** The last few strings' digests: owners and the filters of one batch repeat. */
const digests = new Map<string, Buffer>();
const DIGESTS_MAX = 1024;

export function digest(text: string): Buffer {
  let found = digests.get(text);
  if (found === undefined) {
    if (digests.size >= DIGESTS_MAX) digests.clear();
    found = sha256(text).subarray(0, 16);
    digests.set(text, found);
  }
  return found;
}

/** The last one made: a claim looks up the same client identifier in several tables. Nobody writes into a key. */
let lastText = '';
let lastKey: Buffer = Buffer.of(1);

export function textKey(text: string): Buffer {
  if (text !== lastText) {
    lastKey = makeTextKey(text);
    lastText = text;
  }
  return lastKey;
}

function makeTextKey(text: string): Buffer {
  if (text.length <= TEXT_BYTES_MAX) {
    const length = Buffer.byteLength(text);
    if (length <= TEXT_BYTES_MAX) {
      const key = Buffer.allocUnsafe(1 + length);
      key[0] = 1;
      key.write(text, 1);
      return key;
    }
  }
  return Buffer.concat([Buffer.of(2), sha256(text)]);
}

/** Fixed fields one after the other: a number becomes its sortable eight bytes, bytes stay as they are. */
export function key(...fields: (number | Uint8Array)[]): Buffer {
  let length = 0;
  for (const field of fields) length += typeof field === 'number' ? 8 : field.length;
  const bytes = Buffer.allocUnsafe(length);
  let position = 0;
  for (const field of fields) {
    if (typeof field === 'number') position = bytes.writeDoubleBE(field, position);
    else {
      bytes.set(field, position);
      position += field.length;
    }
  }
  return bytes;
}

/** A key behind all that start with `prefix`: no field that follows a prefix begins with so many bytes 0xff. */
export function behind(prefix: Uint8Array): Buffer {
  return Buffer.concat([prefix, HIGHEST]);
}

/** The first time up to this one, of a table whose keys begin with times; Infinity: there is none. */
export function firstTime(
  table: { getKeys(options: { end: Buffer; limit: number }): Iterable<unknown> },
  until: number,
): number {
  for (const found of table.getKeys({ end: behind(key(until)), limit: 1 })) return (found as Buffer).readDoubleBE(0);
  return Number.POSITIVE_INFINITY;
}

const HIGHEST = Buffer.alloc(17, 0xff);

export const kind = {
  subscription: Buffer.from('s'),
  cursor: Buffer.from('c'),
  outbound: Buffer.from('o'),
  inbound: Buffer.from('i'),
  session: Buffer.from('s'),
  will: Buffer.from('w'),
} as const;

/** Ends a level. It sorts below every other byte, so a topic comes right before the topics below it. */
export const LEVEL_END = 0;
const ESCAPE = 1;

/**
 * A topic level by level: the bytes of each level, then 0. Bytes 0 and 1 within a level are written as 1 1 and 1 2, which keeps their order.
 *
 *     a        61 00
 *     a//b     61 00 00 62 00        sorted: a, a//b, a/b, aa
 *     a/b      61 00 62 00
 */
export function levelsKey(levels: readonly string[]): Buffer {
  const text = Buffer.from(levels.join('/'));
  let escapes = 0;
  for (const byte of text) if (byte <= ESCAPE) escapes++;
  const bytes = Buffer.allocUnsafe(levels.length === 0 ? 0 : text.length + escapes + 1);
  let position = 0;
  if (levels.length === 0) return bytes;
  for (const byte of text) {
    if (byte === 0x2f) bytes[position++] = LEVEL_END;
    else if (byte <= ESCAPE) {
      bytes[position++] = ESCAPE;
      bytes[position++] = byte + 1;
    } else bytes[position++] = byte;
  }
  bytes[position] = LEVEL_END;
  return bytes;
}

/** The topic of a key that `levelsKey` made. */
export function topicOfKey(levels: Buffer): string {
  const text = levels.toString('utf8', 0, levels.length - 1);
  if (!text.includes('\u0001')) return text.replaceAll('\u0000', '/');
  const bytes = Buffer.allocUnsafe(levels.length);
  let position = 0;
  for (let index = 0; index < levels.length - 1; index++) {
    const byte = levels[index];
    bytes[position++] = byte === LEVEL_END ? 0x2f : byte === ESCAPE ? levels[++index] - 1 : byte;
  }
  return bytes.toString('utf8', 0, position);
}
