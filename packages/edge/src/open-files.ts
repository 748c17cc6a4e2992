import { readdirSync, readFileSync, statSync } from 'node:fs';
import { CodedError, defaultLimits, type Logger } from '@dunlin/broker/ports';
import type { Configuration } from '@dunlin/config';
import { limitConnections } from './connection-room.ts';
import { events } from './log-events.ts';
import { connectionsMax } from './node-limits.ts';

/** Number of files that the process has open, sockets too, and may have open. */
export interface OpenFiles {
  open: number;
  /** Infinity: the system sets no limit. */
  max: number;
}

/** Null where the system does not tell: not Linux. */
export function openFiles(): OpenFiles | null {
  try {
    return readOpenFiles();
  } catch {
    return null;
  }
}

/** @throws what the system says, EMFILE among it */
function readOpenFiles(): OpenFiles | null {
  const soft = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  // Linux 6.2 and newer tell how many they are without listing them, which takes long with a million; older ones say 0.
  const { size } = statSync('/proc/self/fd');
  const open = size > 0 ? size : readdirSync('/proc/self/fd').length;
  return soft === undefined ? null : { open, max: soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft) };
}

/** A thread with its event loop, its listeners aside (measured: 7). */
const filesOfThread = 8;
/** Connections of one worker to Redis and NATS, and those that take their place while they end. */
const filesOfServers = 6;

/** Files that a node with this configuration opens for itself, beside those that are open when it begins. */
function ownFiles({ workers, listeners, store, backplane }: Configuration): number {
  const servers = store.kind === 'redis' || backplane.url !== '' ? filesOfServers : 0;
  return (workers + 1) * (filesOfThread + servers) + workers * listeners.length;
}

/** Left free for files that are read again, connections to the admin address, and servers that are reached anew. */
function spareFiles(max: number): number {
  return Math.min(64, Math.max(8, Math.floor(max / 16)));
}

/** @throws when a node with this configuration could not even start its threads */
export function checkOpenFiles(configuration: Configuration): void {
  let files: OpenFiles | null;
  try {
    files = readOpenFiles();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EMFILE') return;
    throw new TooFewFilesError('open files: this process may open no more: raise the limit (ulimit -n, LimitNOFILE=)', {
      cause,
    });
  }
  if (files === null) return;
  const needed = files.open + ownFiles(configuration) + spareFiles(files.max);
  if (needed < files.max) return;
  throw new TooFewFilesError(
    `open files: this process may have ${files.max} (ulimit -n, LimitNOFILE=), and needs ${needed} before the first client: ` +
      `raise the limit, or lower workers (${configuration.workers})`,
  );
}

/** The system lets the process open too little. */
export class TooFewFilesError extends CodedError<'too-few-files'> {
  constructor(message: string, options?: ErrorOptions) {
    super('too-few-files', message, options);
  }
}

/** Connections that the limit of open files leaves room for, when all that the node needs for itself is open. */
function connectionsForFiles(configuration: Configuration, files: OpenFiles | null): number {
  if (files === null || files.max === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  const { workers, listeners } = configuration;
  return Math.max(1, files.max - files.open - workers * listeners.length - spareFiles(files.max));
}

/**
 * Connections below which a shortage is logged: an operator who leaves limits.connectionsMax as it is asks for no
 * million.
 */
const connectionsExpected = 10_000;

/** Fields of the log line when the limit of open files is lower than the configuration asks; null: it is not. */
function describeShortage(
  configuration: Configuration,
  asked: number,
  allowed: number,
  files: OpenFiles | null,
): Record<'openFilesMax' | 'openFilesNeeded' | 'connectionsMax' | 'connectionsAsked', number> | null {
  const { connectionsMax } = configuration.limits;
  const wanted = connectionsMax === defaultLimits.connectionsMax ? Math.min(asked, connectionsExpected) : asked;
  if (files === null || allowed >= wanted) return null;
  return {
    openFilesMax: files.max,
    openFilesNeeded: files.max - allowed + wanted,
    connectionsMax: allowed,
    connectionsAsked: connectionsMax,
  };
}

/**
 * Limits the connections of the workers to the files there are. To be called when everything that the node opens for
 * itself is open, and no connection yet.
 * @returns number of connections that the node may have
 */
export function makeRoom(configuration: Configuration, counts: SharedArrayBuffer, logger: Logger): number {
  const files = openFiles();
  const asked = connectionsMax(configuration);
  const allowed = connectionsForFiles(configuration, files);
  const shortage = describeShortage(configuration, asked, allowed, files);
  if (shortage !== null) logger.warn(events['open-files.limited'], shortage);
  limitConnections(counts, allowed);
  return Math.min(asked, allowed);
}
