/**
 * Pages of the clients of this worker, in the order of their identifiers, without an index that connects would have to
 * keep. A walk over all sessions finds the next `windowIds` identifiers behind a place; pages are cut from this window,
 * so a whole list of n clients costs n / windowIds walks:
 *
 * ```
 *   sessions, in no order ──walk──> candidates behind `after` ──sorted, cut──> window: 2048 identifiers ──> pages
 *                                   (at most twice a window)
 * ```
 *
 * A walk takes some thousand sessions a turn (measured: 0.1 µs each), and a sort 2 ms, so that clients do not wait. A
 * client that connects while a window is used may be missing in a list; one that was there all the time is not.
 */

import type { ClientListQuery, ClientPage, ClientRecord } from '../ports/client-record.ts';
import type { Clock } from '../ports/clock.ts';
import type { Session } from '../session/session.ts';
import { clientRecord, connectionOf } from './client-records.ts';
import { NamePattern } from './name-pattern.ts';

const windowIds = 2048;
const walkedPerTurn = 4000;
const recordsPerTurn = 250;
/** Time for which a window is kept after its last use. */
const keptMilliseconds = 10_000;
/** Lists that are read at the same time, each with a window. */
const windowsMax = 8;

interface Window {
  /** Identifiers in order, all that there were behind `after`, up to the last of them or to the end. */
  readonly after: string | null;
  readonly ids: readonly string[];
  readonly isEnd: boolean;
  usedAt: number;
}

export interface ClientListParts {
  clock: Clock;
  sessions: { get(clientId: string): Session | undefined; all(): Iterable<Session> };
}

export class ClientList {
  private readonly parts: ClientListParts;
  private readonly windows = new Map<string, Window>();

  constructor(parts: ClientListParts) {
    this.parts = parts;
  }

  async page(query: ClientListQuery): Promise<ClientPage> {
    const clients: ClientRecord[] = [];
    let { after } = query;
    for (;;) {
      const window = await this.windowBehind(query, after);
      for (let at = firstBehind(window.ids, after); at < window.ids.length; at++) {
        if (clients.length === query.limit) return { clients, hasMore: true };
        after = window.ids[at];
        const session = this.parts.sessions.get(after);
        if (session !== undefined) clients.push(clientRecord(session));
        if (clients.length % recordsPerTurn === 0) await this.nextTurn();
      }
      if (window.isEnd) return { clients, hasMore: false };
    }
  }

  private async windowBehind(query: ClientListQuery, after: string | null): Promise<Window> {
    const { clientId, userName, address } = query;
    const key = JSON.stringify([clientId, userName, address]);
    const now = this.parts.clock.now();
    for (const [name, { usedAt }] of this.windows) if (now - usedAt > keptMilliseconds) this.windows.delete(name);
    const known = this.windows.get(key);
    if (known !== undefined && after !== null && reaches(known, after)) {
      known.usedAt = now;
      return known;
    }
    const window = await this.walk(query, after);
    this.windows.delete(key);
    this.windows.set(key, window);
    if (this.windows.size > windowsMax) this.windows.delete(this.windows.keys().next().value as string);
    return window;
  }

  private async walk(query: ClientListQuery, after: string | null): Promise<Window> {
    const matches = matcher(query);
    let ids: string[] = [];
    let isEnd = true;
    /** Identifier that the window ends before, once there are too many. */
    let bound = null as string | null;
    const cut = (): void => {
      ids.sort();
      if (ids.length <= windowIds) return;
      bound = ids[windowIds];
      ids = ids.slice(0, windowIds);
      isEnd = false;
    };
    let walked = 0;
    for (const session of this.parts.sessions.all()) {
      if (++walked % walkedPerTurn === 0) await this.nextTurn();
      const id = session.clientId;
      if ((after !== null && id <= after) || (bound !== null && id >= bound) || !matches(session)) continue;
      ids.push(id);
      if (ids.length === 2 * windowIds) cut();
    }
    cut();
    return { after, ids, isEnd, usedAt: this.parts.clock.now() };
  }

  private nextTurn(): Promise<void> {
    return new Promise((resolve) => this.parts.clock.nextTurn(resolve));
  }
}

/** True if the identifiers behind `after` are in the window, or there are none. */
function reaches({ after: start, ids, isEnd }: Window, after: string): boolean {
  if (start !== null && after < start) return false;
  return isEnd || (ids.length > 0 && after < ids[ids.length - 1]);
}

/** Place of the first identifier behind `after`. */
function firstBehind(ids: readonly string[], after: string | null): number {
  if (after === null) return 0;
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ids[middle] <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

function matcher({ clientId, userName, address }: ClientListQuery): (session: Session) => boolean {
  const pattern = clientId === '' ? null : new NamePattern(clientId);
  return (session) => {
    if (pattern !== null && !pattern.matches(session.clientId)) return false;
    if (userName !== '' && connectionOf(session).signIn.userName !== userName) return false;
    return address === '' || connectionOf(session).remoteAddress.startsWith(address);
  };
}
