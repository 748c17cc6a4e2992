import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { endianness } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { threadId } from 'node:worker_threads';
import { StoreError } from '@dunlin/broker/ports';
import { type Database, open, type RootDatabase } from 'lmdb';
import { claimTables, mainTables } from './keys.ts';

export type Durability = 'fsync' | 'memory';

/** Part of lmdb's database that we use. Keys and values are bytes; `get` and `getRange` return copies. */
export type Table = Database<Uint8Array, Uint8Array>;
/** Entries of a table. */
export function entryCount(table: Table): number {
  return (table.getStats() as { entryCount: number }).entryCount;
}

export type Tables = Record<(typeof mainTables)[number], Table>;
export type ClaimTables = Record<(typeof claimTables)[number], Table>;

export interface Environment<T> {
  root: RootDatabase<Uint8Array, Uint8Array>;
  tables: T;
}

/** Layout of the tables as a whole; records have a version byte of their own. */
const FORMAT_VERSION = 1;
/**
 * Initial size of the map. It is address space, neither memory nor disk; LMDB enlarges it when the data outgrows it.
 */
const MAP_SIZE_BYTES = 16 * 1024 ** 3;
/** Reader slots, one for each thread and open cursor; far above the workers of a node. */
const READERS_MAX = 512;

/**
 * The main environment.
 *
 * `fsync`: LMDB's own way: a commit flushes the pages, then writes and flushes the meta page. lmdb's overlappingSync is off: its commit
 * promise also waits for the flush (measured), so it would gain little, and after a crash it trusts the kernel's boot identifier.
 *
 * `memory`: commits write to the page cache and return. The pages of a killed process stay there, in order, so `kill -9` loses nothing.
 * When the machine goes down the file may be damaged, because nothing orders the writes; a marker file in the directory tells.
 */
export function openMain(path: string, durability: Durability, mapSizeBytes?: number): Environment<Tables> {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    checkMachineStayedUp(path);
    const environment = openTables<Tables>(join(path, 'main.mdb'), mainTables, {
      noSync: durability === 'memory',
      mapSize: mapSizeBytes ?? MAP_SIZE_BYTES,
    });
    checkVersion(environment, path);
    return environment;
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw new StoreError('unavailable', `cannot open the LMDB store at ${path}: ${(cause as Error).message}`, cause);
  }
}

/**
 * Environment of claims without stored sessions. It is never flushed, and named after the boot of the machine: after a
 * crash of the machine it may be damaged, but then every owner of its claims is dead, and the next process starts a new
 * one. Where the system does not tell the boot there is no such name, and commits are flushed instead.
 */
export function openClaims(path: string): Environment<ClaimTables> {
  const boot = bootId();
  const name = boot === '' ? 'claims.mdb' : `claims-${boot}.mdb`;
  try {
    for (const file of readdirSync(path)) {
      if (file.startsWith('claims') && !file.startsWith(name)) rmSync(join(path, file), { force: true });
    }
    const environment = openTables<ClaimTables>(join(path, name), claimTables, {
      noSync: boot !== '',
      mapSize: 2 ** 30,
    });
    reserve(environment, join(path, name));
    return environment;
  } catch (cause) {
    throw new StoreError('unavailable', `cannot open the claims at ${path}: ${(cause as Error).message}`, cause);
  }
}

/** Room for claims of some 50,000 clients, and at most a sixteenth of the free space. */
const RESERVE_BYTES_MAX = 16 * 1024 ** 2;

/**
 * Makes the file larger than LMDB needs it, so that clients can connect when the disk is full. Within a transaction: no
 * other thread enlarges it meanwhile.
 */
function reserve(environment: Environment<ClaimTables>, file: string): void {
  environment.root.transactionSync(() => {
    const { bavail, bsize } = statfsSync(dirname(file));
    const wantedBytes = Math.min(RESERVE_BYTES_MAX, Math.floor((bavail * bsize) / 16));
    const { size } = statSync(file);
    try {
      if (size < wantedBytes) writeZeros(file, size, wantedBytes - size);
    } catch {
      // A limit of the process, or a quota: then claims have no reserved room.
    }
  });
}

function writeZeros(file: string, position: number, length: number): void {
  const descriptor = openSync(file, 'r+');
  try {
    writeSync(descriptor, new Uint8Array(length), 0, length, position);
  } finally {
    closeSync(descriptor);
  }
}

/** Marker file of a store that is open with durability `memory`; it names the boot of the machine. */
const MARKER = 'memory-durability-';
let markers = 0;

/** Creates the marker. Returns its path, for `removeMarker`. */
export function writeMarker(path: string): string {
  const file = join(path, `${MARKER}${threadId}-${markers++}`);
  try {
    writeFileSync(file, bootId(), { mode: 0o600 });
  } catch (cause) {
    throw new StoreError('unavailable', `cannot write ${file}: ${(cause as Error).message}`, cause);
  }
  return file;
}

/**
 * Removes the marker. To be called when everything is flushed: from then on the file is whole whatever happens to the
 * machine.
 */
export function removeMarker(file: string): void {
  rmSync(file, { force: true });
}

function openTables<T>(
  file: string,
  names: readonly string[],
  options: { noSync: boolean; mapSize: number },
): Environment<T> {
  checkFile(file);
  checkLimits(file, options.mapSize);
  makeLockFile(`${file}-lock`);
  makePrivate(file);
  const root = open<Uint8Array, Uint8Array>(file, {
    ...options,
    noSubdir: true,
    overlappingSync: false,
    // With it, a commit that fails rejects one more promise, which lmdb 3.5.6 gives to no caller. Batch gathers calls
    // itself.
    eventTurnBatching: false,
    maxDbs: names.length + 2,
    maxReaders: READERS_MAX,
    encoding: 'binary',
    keyEncoding: 'binary',
  });
  const tables: Record<string, Table> = {};
  for (const name of names)
    tables[name] = root.openDB<Uint8Array, Uint8Array>(name, { encoding: 'binary', keyEncoding: 'binary' });
  return { root, tables: tables as T };
}

/** The first page: 16 bytes of page header, then this. */
const LMDB_MAGIC = 0xbeefc0de;
const LMDB_MAGIC_OFFSET = 24;

/** Checks the data file: lmdb 3.5 crashes the process when its own open fails. */
function checkFile(file: string): void {
  accessSync(dirname(file), constants.R_OK | constants.W_OK);
  if (!existsSync(file)) return;
  accessSync(file, constants.R_OK | constants.W_OK);
  const start = new DataView(new ArrayBuffer(LMDB_MAGIC_OFFSET + 4));
  const descriptor = openSync(file, 'r');
  const length = readSync(descriptor, start);
  closeSync(descriptor);
  const littleEndian = endianness() === 'LE';
  if (length === 0 || (length === start.byteLength && start.getUint32(LMDB_MAGIC_OFFSET, littleEndian) === LMDB_MAGIC))
    return;
  throw new StoreError('corrupt', `${file} is not an LMDB file`);
}

/**
 * Creates the file with a safe mode: LMDB makes its files readable for all users, but an empty one that exists keeps
 * its mode. Only the thread that creates it opens it: closing it would drop the locks that LMDB has on it.
 */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  }
}

/** Size of the lock file: LMDB needs 33 KB for the slots of `READERS_MAX` readers. */
const LOCK_FILE_BYTES = 64 * 1024;
/** Size of the first pages of a new file. */
const FIRST_PAGES_BYTES = 64 * 1024;

/**
 * Reserves room for a new lock file, and checks the room for the first pages. LMDB maps the lock file and writes beyond
 * its end: on a full disk that is a bus error without a message. The file is completed under another name: another
 * thread may open the store at the same time.
 */
function makeLockFile(file: string): void {
  if (existsSync(file)) return;
  const whole = `${file}-${process.pid}-${threadId}`;
  try {
    writeFileSync(whole, new Uint8Array(LOCK_FILE_BYTES + FIRST_PAGES_BYTES), { mode: 0o600 });
    truncateSync(whole, LOCK_FILE_BYTES);
    linkSync(whole, file);
  } catch (cause) {
    // Another thread was faster, or this file system has no links.
    if (!['EEXIST', 'EPERM', 'ENOSYS', 'ENOTSUP'].includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause;
  } finally {
    rmSync(whole, { force: true });
  }
  makePrivate(file);
}

/**
 * Checks the limit of the address space: lmdb 3.5 ends the process without a message when it may not map its file.
 * Threads of one process share the map.
 */
function checkLimits(file: string, mapSizeBytes: number): void {
  let limits: string;
  let status: string;
  let maps: string;
  try {
    limits = readFileSync('/proc/self/limits', 'utf8');
    status = readFileSync('/proc/self/status', 'utf8');
    maps = readFileSync('/proc/self/maps', 'utf8');
  } catch {
    return; // not Linux
  }
  const spaceBytes = limitOf(limits, 'Max address space');
  const usedBytes = Number(/^VmSize:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  if (usedBytes + mapSizeBytes <= spaceBytes || maps.includes(`${resolve(file)}\n`)) return;
  throw new StoreError(
    'unavailable',
    `cannot open ${file}: this process may have ${spaceBytes} bytes of address space (ulimit -v, RLIMIT_AS) and has ${usedBytes}; ` +
      `LMDB reserves ${mapSizeBytes} more, which is no memory: raise the limit or remove it`,
  );
}

function limitOf(limits: string, name: string): number {
  const soft = new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? Infinity : Number(soft);
}

function checkVersion(environment: Environment<Tables>, path: string): void {
  const { root, tables } = environment;
  const name = Buffer.from('version');
  // Several workers open at once: the first one writes it.
  const found = root.transactionSync(() => {
    const stored = tables.meta.get(name);
    if (stored === undefined) void tables.meta.put(name, Buffer.of(FORMAT_VERSION));
    return stored?.[0] ?? FORMAT_VERSION;
  });
  if (found === FORMAT_VERSION) return;
  void root.close();
  throw new StoreError(
    'corrupt',
    `the LMDB store at ${path} has format version ${found}, this program reads version ${FORMAT_VERSION}`,
  );
}

function checkMachineStayedUp(path: string): void {
  const boot = bootId();
  for (const file of readdirSync(path)) {
    if (!file.startsWith(MARKER)) continue;
    if (readFileSync(join(path, file), 'utf8') === boot) continue;
    throw new StoreError(
      'corrupt',
      `the machine went down while the LMDB store at ${path} was open with durability "memory", so its file may be damaged: ` +
        `restore the directory from a backup or empty it; to keep a file that you know to be whole, delete ${MARKER}*`,
    );
  }
}

/** Changes when the machine starts; empty where the system does not tell. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** Resolves when what was committed is on the disk. */
export function flush(environment: Environment<unknown>): Promise<void> {
  const root = environment.root as unknown as { sync(done: (cause?: Error) => void): void };
  return new Promise((resolve, reject) => {
    root.sync((cause) => (cause ? reject(new StoreError('unavailable', 'LMDB: flush failed', cause)) : resolve()));
  });
}
