import { readFileSync } from 'node:fs';
import { type MemoryLevelNumber, memoryLevels } from '@dunlin/broker/guards';
import type { Logger } from '@dunlin/broker/ports';
import { events } from './log-events.ts';

/** A look costs 15 µs. It is taken more often where memory could become scarce until the next one. */
const lookMilliseconds = { calm: 250, close: 25 };
/** Share of the limit from which on memory is close. */
const closeShare = 0.5;
/** A level ends when memory is so much of the limit below its mark. */
const hysteresisPercent = 5;
/**
 * Time between two rounds in which buffers are given up: what was freed must be seen first. Twice as long after one
 * that freed little: then memory is held by what cannot be given up.
 */
const shedMilliseconds = { first: 500, longest: 60_000 };
/** Bytes given up in a round at least. */
const shedBytesLeast = 8 * 1024 * 1024;
/** Wait until garbage is collected again: after a collection that was worth it, and after others, each twice as long. */
const collectMilliseconds = { worth: 1000, first: 5000, longest: 60_000 };
/** Share of the limit that is worth a collection, or a round. */
const worthShare = 0.02;

/** Memory that the process has asked for, without files that are mapped: those the system takes back by itself. */
export function anonymousBytes(): number {
  try {
    const kibibytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (kibibytes !== undefined) return Number(kibibytes) * 1024;
  } catch {
    // No Linux.
  }
  return process.memoryUsage.rss();
}

export interface MemoryWatchParts {
  limitBytes: number;
  highPercent: number;
  criticalPercent: number;
  logger: Logger;
  usedBytes(): number;
  /** Collects garbage in all threads and gives it back to the system. `isUrgent`: however long the threads stand still. */
  collect(isUrgent: boolean): Promise<void>;
  /** Gives up so many bytes of waiting messages and slow connections. */
  shed(bytes: number): void;
  /** Called at each look, before garbage is collected. */
  measured(usedPercent: number): void;
  changed(level: MemoryLevelNumber, usedPercent: number): void;
  now(): number;
}

/**
 * Watches the memory of the process, and says at which level it is:
 *
 * ```
 *   normal ── memoryHighPercent ──> high ── memoryCriticalPercent ──> critical
 *                                   no new connections,              the largest buffers are given up
 *                                   no new subscriptions
 * ```
 *
 * Garbage is no reason to refuse anybody: V8 collects when it likes, so it is asked before a level rises, and now and
 * then while one holds.
 */
export class MemoryWatch {
  readonly #parts: MemoryWatchParts;
  #level: MemoryLevelNumber = memoryLevels.normal;
  #collectAt = 0;
  #collectWait = collectMilliseconds.first;
  #shedAt = 0;
  #shedWait = shedMilliseconds.first;
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;

  constructor(parts: MemoryWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setTimeout(() => void this.#round(), lookMilliseconds.calm);
    this.#timer.unref();
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #round(): Promise<void> {
    const usedBytes = await this.look();
    if (this.#isStopped) return;
    const isClose = usedBytes > this.#parts.limitBytes * closeShare;
    this.#timer = setTimeout(() => void this.#round(), isClose ? lookMilliseconds.close : lookMilliseconds.calm);
    this.#timer.unref();
  }

  /** Measures, and does what is to be done. Returns the bytes in use. */
  async look(): Promise<number> {
    const parts = this.#parts;
    let usedBytes = parts.usedBytes();
    parts.measured((usedBytes / parts.limitBytes) * 100);
    const mayRise = this.#levelOf(usedBytes) > this.#level;
    const isHeld = this.#level > memoryLevels.normal;
    if ((mayRise || isHeld) && parts.now() >= this.#collectAt) usedBytes = await this.#collect(usedBytes);
    const level = this.#levelOf(usedBytes);
    if (level !== this.#level) this.#change(level, usedBytes);
    if (level === memoryLevels.critical && parts.now() >= this.#shedAt) await this.#shed(usedBytes);
    return usedBytes;
  }

  async #shed(before: number): Promise<void> {
    const parts = this.#parts;
    const aim = this.#markBytes(parts.criticalPercent - hysteresisPercent);
    parts.shed(Math.max(before - aim, shedBytesLeast));
    await parts.collect(true);
    const isWorth = before - parts.usedBytes() >= parts.limitBytes * worthShare;
    this.#shedWait = isWorth ? shedMilliseconds.first : Math.min(this.#shedWait * 2, shedMilliseconds.longest);
    this.#shedAt = parts.now() + this.#shedWait;
  }

  #markBytes(percent: number): number {
    return (this.#parts.limitBytes * percent) / 100;
  }

  /** The level for so many bytes: one that holds ends a little below its mark. */
  #levelOf(usedBytes: number): MemoryLevelNumber {
    const { highPercent, criticalPercent } = this.#parts;
    const mark = (percent: number, level: MemoryLevelNumber) =>
      this.#markBytes(this.#level >= level ? percent - hysteresisPercent : percent);
    if (usedBytes > mark(criticalPercent, memoryLevels.critical)) return memoryLevels.critical;
    return usedBytes > mark(highPercent, memoryLevels.high) ? memoryLevels.high : memoryLevels.normal;
  }

  async #collect(before: number): Promise<number> {
    const parts = this.#parts;
    await parts.collect(this.#levelOf(before) === memoryLevels.critical);
    const after = parts.usedBytes();
    if (before - after >= parts.limitBytes * worthShare) {
      this.#collectWait = collectMilliseconds.first;
      this.#collectAt = parts.now() + collectMilliseconds.worth;
      return after;
    }
    this.#collectAt = parts.now() + this.#collectWait;
    this.#collectWait = Math.min(this.#collectWait * 2, collectMilliseconds.longest);
    return after;
  }

  #change(level: MemoryLevelNumber, usedBytes: number): void {
    const { limitBytes, logger, changed } = this.#parts;
    const fields = { usedBytes, limitBytes };
    this.#level = level;
    this.#collectWait = collectMilliseconds.first;
    this.#shedWait = shedMilliseconds.first;
    changed(level, (usedBytes / limitBytes) * 100);
    if (level === memoryLevels.normal) logger.info(events['memory.became-normal'], fields);
    else if (level === memoryLevels.high) logger.warn(events['memory.became-high'], fields);
    else logger.error(events['memory.became-critical'], fields);
  }
}
