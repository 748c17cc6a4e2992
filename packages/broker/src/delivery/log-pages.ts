/**
 * Pages of logs for the cursors that are behind. A session with 20,000 cursors asks for some of them a turn, so that
 * other sessions are served in between.
 */

import type { Clock } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import { events } from '../ports/log-events.ts';
import type { LogStore } from '../ports/log-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { LogCursor } from '../session/log-cursor.ts';
import type { Session } from '../session/session.ts';
import type { TurnClock } from '../work/turn-clock.ts';

/** Cursors that ask for a page in one turn: LMDB answers in about 10 µs each. */
const pumpsPerTurn = 250;
/**
 * Cursors of a session from which on the ends of its logs are asked for together; with few, reading the pages is
 * faster.
 */
const manyCursors = 64;

export interface LogPagesParts {
  logStore: LogStore;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  limits: Limits;
  turn: TurnClock;
}

export class LogPages {
  private readonly logStore: LogStore;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly metrics: Metrics;
  private readonly limits: Limits;
  private readonly turn: TurnClock;
  private readonly failed = new Set<LogCursor>();
  /** Logs whose end is to be asked for. */
  private readonly asking: LogCursor[] = [];
  private isAsking = false;

  constructor({ logStore, clock, logger, metrics, limits, turn }: LogPagesParts) {
    this.metrics = metrics;
    this.turn = turn;
    this.logStore = logStore;
    this.clock = clock;
    this.logger = logger;
    this.limits = limits;
  }

  /** Reads all logs of a session from its cursors on. */
  pumpAll(session: Session): void {
    for (const cursor of session.cursors) if (!cursor.isLive) session.addBehind(cursor);
    if (!session.isPumping) this.pumpBehind(session);
  }

  /** Cursors that are behind continue while the window has room. */
  pumpBehind(session: Session): void {
    const { behind } = session;
    session.isPumping = false;
    if (behind === null || session.hasEnded) return;
    let left = pumpsPerTurn;
    for (const cursor of behind) {
      if (!session.hasRoom) return; // the rest continues at the next room
      if (left-- === 0) {
        session.isPumping = true;
        this.clock.nextTurn(() => this.pumpBehind(session));
        return;
      }
      behind.delete(cursor);
      cursor.pump();
    }
  }

  read(cursor: LogCursor): void {
    if (!cursor.mayBeAtEnd || cursor.session.cursors.length < manyCursors) {
      this.readPage(cursor);
      return;
    }
    this.asking.push(cursor);
    if (this.isAsking) return;
    this.isAsking = true;
    this.clock.nextTurn(() => void this.askEnds());
  }

  /**
   * Most logs of a session with thousands end at its cursors: one call says so for many. One call at a time: answers
   * must not arrive all together.
   */
  private async askEnds(): Promise<void> {
    try {
      while (this.asking.length > 0) await this.askSome(this.asking.splice(0, pumpsPerTurn));
    } finally {
      this.isAsking = false;
    }
  }

  private async askSome(all: readonly LogCursor[]): Promise<void> {
    const cursors = all.filter(isInForce);
    if (cursors.length === 0) return;
    await this.logStore.ends(cursors.map((cursor) => cursor.log.filter)).then(
      (ends) => {
        this.turn.renew();
        for (let i = 0; i < cursors.length; i++) {
          const cursor = cursors[i];
          const end = ends[i];
          if (!isInForce(cursor)) continue;
          // Other answers are read as a page: a log that has more, or less than was announced.
          if (cursor.mayBeAtEnd && cursor.acknowledged === end) cursor.pageRead([], end + 1, end);
          else this.readPage(cursor);
        }
      },
      (error: unknown) => this.readFailed(cursors, error),
    );
  }

  private readPage(cursor: LogCursor): void {
    const { logPageMessages, logPageBytes } = this.limits;
    this.logStore.read(cursor.log.filter, cursor.next, logPageMessages, logPageBytes, this.clock.now()).then(
      (page) => {
        this.turn.renew();
        if (isInForce(cursor)) cursor.pageRead(page.entries, page.firstSequence, page.lastSequence);
      },
      (error: unknown) => this.readFailed([cursor], error),
    );
  }

  private readFailed(cursors: readonly LogCursor[], error: unknown): void {
    this.metrics.storeErrors++;
    const fields = { filter: cursors[0].log.filter, error };
    this.logger.warn(events['log.read-failed'], fields);
    for (const cursor of cursors) {
      cursor.pageFailed();
      if (!cursor.session.hasEnded) this.failed.add(cursor); // `retry` reads it again
    }
  }

  /** Reads again what the store failed to return. */
  retry(): void {
    const sessions = new Set<Session>();
    for (const cursor of this.failed) {
      if (cursor.isDetached) continue;
      cursor.session.addBehind(cursor);
      sessions.add(cursor.session);
    }
    this.failed.clear();
    for (const session of sessions) if (!session.isPumping) this.pumpBehind(session);
  }
}

function isInForce({ session, isDetached }: LogCursor): boolean {
  return !session.hasEnded && !isDetached;
}
