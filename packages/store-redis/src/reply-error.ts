/**
 * Meaning of an error of Redis, by its first word: the rest names places and arguments, and ends in every script with
 * the same words.
 */
import { StoreError } from '@dunlin/broker/ports';

interface Kind {
  /** Reading goes on. */
  readonly refusesWrites?: true;
  /**
   * The server is no longer what was connected to: the connection ends, and the next one is checked anew. The reason is
   * logged.
   */
  readonly ends?: string;
  /** True when the servers of the slots are to be looked up again. */
  readonly moved?: true;
}

/** Errors that end by themselves or by an operator: the call can be made again. */
const passing: Readonly<Record<string, Kind>> = {
  OOM: { refusesWrites: true }, // the memory is full (maxmemory, noeviction)
  MISCONF: { refusesWrites: true }, // the disk beneath takes no snapshot or append
  NOREPLICAS: { refusesWrites: true }, // fewer replicas in step than min-replicas-to-write
  READONLY: { refusesWrites: true, ends: 'Redis is a replica now', moved: true }, // a failover is under way
  LOADING: { ends: 'Redis reads its file' },
  BUSY: {},
  MASTERDOWN: { ends: 'Redis is a replica now, and without its master' },
  CLUSTERDOWN: { ends: 'the Redis Cluster does not serve', moved: true },
  TRYAGAIN: { moved: true }, // a slot is being moved
  MOVED: { moved: true },
  ASK: { moved: true },
  NOSCRIPT: { ends: 'Redis has lost the scripts of the store, and is given them again' },
  NOAUTH: { ends: 'Redis asks for a password' },
  WRONGPASS: {},
  NOPERM: { ends: 'Redis refuses a permission' },
};

/** Longest message: some messages of Redis repeat the arguments. */
const messageLengthMax = 300;

function firstWord(message: string): string {
  // Within scripts Redis 7.0 and Valkey (up to 9.1.2) have no code for what they call NOPERM everywhere else.
  if (/^-?ERR (The user executing the script can't|ACL failure in script)/.test(message)) return 'NOPERM';
  return /^-?([A-Z]+)\b/.exec(message)?.[1] ?? '';
}

function kindOf(error: unknown): Kind | undefined {
  return error instanceof Error ? passing[firstWord(error.message)] : undefined;
}

/** True: Redis has refused to write, for a reason that passes. */
export function refusesWrites(error: unknown): boolean {
  return kindOf(error)?.refusesWrites === true;
}

/** Reason why the connection with this answer must not be used any more; null: it may. */
export function endOfConnection(error: Error): string | null {
  return kindOf(error)?.ends ?? null;
}

/** True: another server may have the slot now. */
export function isMoved(error: Error): boolean {
  return kindOf(error)?.moved === true;
}

/** True: the user of the connection may not do this. */
export function isForbidden(error: Error): boolean {
  // The search for a master through Sentinel puts its own text in front.
  return firstWord(error.message) === 'NOPERM' || /NOPERM/.test(error.message);
}

/** The error of the port for one of Redis or of the connection to it. */
export function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const word = firstWord(message);
  const text = `Redis: ${message.slice(0, messageLengthMax)}`;
  if (word === 'FENCED') return new StoreError('fenced', text, error);
  if (passing[word] !== undefined) return new StoreError('unavailable', text, error);
  // A script stops by itself only at data that it cannot read; all other errors come from the state of the server or of
  // the connection.
  const isCorrupt = word === 'WRONGTYPE' || (word === 'ERR' && /user_script|Error running script/.test(message));
  return new StoreError(isCorrupt ? 'corrupt' : 'unavailable', text, error);
}
