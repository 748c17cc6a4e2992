/**
 * Subscriptions of a connected client that it has and that the rules do not allow now. They are out of force: nothing
 * is sent for them. In the store they stay as they are, and so do their logs, within the limits of logs.
 */
import type { Cursor, StoredOutbound, StoredSubscription } from '../ports/session-store.ts';

/** Either as it was in force on this connection, or as the store has it. */
export type SuspendedSubscription<InForce> =
  | { readonly kind: 'was-in-force'; readonly subscription: InForce }
  | { readonly kind: 'stored'; readonly stored: StoredSubscription; readonly cursor: Cursor | null };

/** `InForce`: a subscription as it is in force. */
export class SuspendedSubscriptions<InForce> {
  /** By the filter as the client wrote it. */
  readonly byFilter = new Map<string, SuspendedSubscription<InForce>>();
  /**
   * Messages in flight from before the connection, by packet identifier: neither sent again nor forgotten, and no other
   * message gets their identifiers.
   */
  readonly withheld = new Map<number, StoredOutbound>();
}
