/**
 * A shared group with durable members: it has one cursor on the log of its filter, as a session has on the logs of its filters. The group begins with its
 * first durable member (a `$share` subscription of QoS above 0) and ends with its last.
 */
export interface DurableGroup {
  /** `$share/{name}/{filter}`. */
  group: string;
  /** Place of its cursor. */
  acknowledged: number;
}

/** Identifies who leads a group: refused when `epoch` is not that of the last `claim`. */
export interface GroupKey {
  group: string;
  epoch: number;
}

/**
 * Place up to which a group has been served. To the store only `acknowledged` says something: the log is trimmed behind
 * it.
 */
export interface StoredGroupCursor {
  /** Every number up to and including this one is done with. */
  acknowledged: number;
  /** Numbers above it that are done with: first and last of each stretch, one after the other, ascending. */
  above: number[];
  /** Numbers that were delivered in vain: a number and how often, one after the other. */
  failed: number[];
}

/** A QoS 2 message of a group, reserved for one client: no other client may get it (group-reservations.ts). */
export interface GroupReservation {
  sequence: number;
  clientId: string;
  /** True when it may have been sent: whatever becomes of the client, the group is done with it [MQTT-4.8.2-5]. */
  isFinal: boolean;
}

export interface GroupClaim {
  /** Epoch above every earlier one of this group, also after the group has ended and begun again. */
  epoch: number;
  cursor: StoredGroupCursor;
  /** Reservations in no order. */
  reservations: GroupReservation[];
}

/** Changes to a group, applied together. Absent keys are left as they are. */
export interface GroupChange {
  cursor?: StoredGroupCursor;
  /** Reservations of these numbers are deleted. */
  reservationsDelete?: number[];
}

/**
 * Port: shared groups with durable members (ARCHITECTURE.md 6). However a member leaves, by `unsubscribe` or with its
 * session, its reservations become final. What holds for every part of a store is said in store.ts.
 */
export interface GroupStore {
  list(): Promise<DurableGroup[]>;
  /** Another epoch: whoever led the group is fenced. Rejects with `unknown-group` when there is none (any more). */
  claim(group: string): Promise<GroupClaim>;
  /** Rejects with `fenced`, or `unknown-group`. */
  update(key: GroupKey, change: GroupChange): Promise<void>;
  /**
   * Reserves messages for clients: true where the reservation stands, and was made with this epoch. Refused: a number that
   * another client has, or that this one was given by another leader; a new one of an epoch that is not the last. All false
   * when there is no such group. A reservation that stands for this client is made final with whatever epoch, also where the
   * answer is false, and never the other way round.
   */
  reserve(key: GroupKey, reservations: GroupReservation[]): Promise<boolean[]>;
  /** The reservations that stand, in no order; none when there is no such group. */
  reservations(group: string): Promise<GroupReservation[]>;
}
