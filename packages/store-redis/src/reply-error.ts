/** What an error of Redis means, told by its first word: what follows names places and arguments, and ends in every script with the same words. */
import { StoreError } from '@dunlin/broker';

/** Errors that end by themselves or by an operator: the call can be made again. `refusesWrites`: reading goes on. */
const passing: Readonly<Record<string, { refusesWrites: boolean }>> = {
  OOM: { refusesWrites: true }, // the memory is full (maxmemory, noeviction)
  MISCONF: { refusesWrites: true }, // the disk beneath takes no snapshot or append
  NOREPLICAS: { refusesWrites: true }, // fewer replicas in step than min-replicas-to-write
  READONLY: { refusesWrites: true }, // a replica now: a failover is under way
  LOADING: { refusesWrites: false },
  BUSY: { refusesWrites: false },
  MASTERDOWN: { refusesWrites: false },
  CLUSTERDOWN: { refusesWrites: false },
  TRYAGAIN: { refusesWrites: false }, // a slot is being moved
  MOVED: { refusesWrites: false },
  ASK: { refusesWrites: false },
  NOSCRIPT: { refusesWrites: false },
  NOAUTH: { refusesWrites: false },
  WRONGPASS: { refusesWrites: false },
  NOPERM: { refusesWrites: false },
};

/** Some messages of Redis repeat the arguments. */
const messageLengthMax = 300;

function firstWord(message: string): string {
  return /^-?([A-Z]+)\b/.exec(message)?.[1] ?? '';
}

/** True: Redis has refused to write, for a reason that passes. */
export function refusesWrites(error: unknown): boolean {
  return error instanceof Error && passing[firstWord(error.message)]?.refusesWrites === true;
}

/** The error of the port for one of Redis or of the connection to it. */
export function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const word = firstWord(message);
  const text = `Redis: ${message.slice(0, messageLengthMax)}`;
  if (word === 'FENCED') return new StoreError('fenced', text, error);
  if (passing[word] !== undefined) return new StoreError('unavailable', text, error);
  // A script that stops by itself has met what it cannot read; everything else is the server's state or the connection's.
  const isCorrupt = word === 'WRONGTYPE' || (word === 'ERR' && /user_script|Error running script/.test(message));
  return new StoreError(isCorrupt ? 'corrupt' : 'unavailable', text, error);
}
