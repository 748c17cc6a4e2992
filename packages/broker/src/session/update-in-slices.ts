/**
 * Writes of sessions with thousands of cursors, a slice at a time: all at once would block the store, and this thread,
 * for a quarter of a second.
 */

import type { SessionKey } from '../ports/session-key.ts';
import type { SessionChange, SessionStore } from '../ports/session-store.ts';
import { StoreError } from '../ports/store-error.ts';

const cursorsMax = 500;

/**
 * Updates as `store.update` does. Everything but cursors goes with the last slice: the end of a handshake must not be
 * stored before its cursor has moved.
 */
export function updateInSlices(sessions: SessionStore, key: SessionKey, change: SessionChange): Promise<void> {
  const { cursors } = change;
  return cursors === undefined || cursors.length <= cursorsMax
    ? sessions.update(key, change)
    : allButLast(sessions, key, change).then((last) => sessions.update(key, last));
}

/** Releases as the store does. */
export async function releaseInSlices(
  sessions: SessionStore,
  key: SessionKey,
  change: SessionChange,
  now: number,
): Promise<void> {
  try {
    return await sessions.release(key, await allButLast(sessions, key, change), now);
  } catch (error) {
    // The present owner has been told the same.
    if (!(error instanceof StoreError) || (error.code !== 'fenced' && error.code !== 'unknown-session')) throw error;
  }
}

/** Writes cursors until one call takes the rest; returns what remains to be written. */
async function allButLast(sessions: SessionStore, key: SessionKey, change: SessionChange): Promise<SessionChange> {
  const { cursors = [] } = change;
  let at = 0;
  for (; cursors.length - at > cursorsMax; at += cursorsMax)
    await sessions.update(key, { cursors: cursors.slice(at, at + cursorsMax) });
  return at === 0 ? change : { ...change, cursors: cursors.slice(at) };
}
