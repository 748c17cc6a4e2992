/**
 * A shared group with durable members. It has one cursor in the log of its filter, as a session has in the logs of its
 * filters. The group begins with its first durable member (a `$share` subscription of QoS above 0) and ends with its
 * last.
 */
export interface DurableGroup {
  /** `$share/{name}/{filter}`. */
  group: string;
  /** Place of its cursor. */
  acknowledged: number;
}

/** Identifies the leader of a group: refused when `epoch` is not that of the last `claim`. */
export interface GroupKey {
  group: string;
  epoch: number;
}

/** Cursor of a group. The store reads `acknowledged` alone: the log is trimmed up to it. */
export interface StoredGroupCursor {
  /** Every number up to and including this one is done with. */
  acknowledged: number;
  /** Numbers above it that are done with: first and last of each range, one after the other, ascending. */
  above: number[];
  /** Failed deliveries: a number and how often, one after the other. */
  failed: number[];
}

/** A QoS 2 message of a group, reserved for one client: no other client may get it (group-reservations.ts). */
export interface GroupReservation {
  sequence: number;
  clientId: string;
  /** True when it may have been sent: then the group is done with it, whatever happens to the client [MQTT-4.8.2-5]. */
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
  /**
   * Gives the group a new epoch, which fences the leader before. Rejects with `unknown-group` when there is none (any
   * more).
   */
  claim(group: string): Promise<GroupClaim>;
  /** Rejects with `fenced`, or `unknown-group`. */
  update(key: GroupKey, change: GroupChange): Promise<void>;
  /**
   * Reserves messages for clients: true where the reservation stands, and was made with this epoch. Refused: a number
   * that another client has, or that this one has with the epoch of another leader; a new one with an epoch that is not
   * the last. All false when there is no such group. A reservation of this client becomes final with whatever epoch,
   * also where the answer is false, and never the other way round.
   */
  reserve(key: GroupKey, reservations: GroupReservation[]): Promise<boolean[]>;
  /** Reservations of the group, in no order; none when there is no such group. */
  reservations(group: string): Promise<GroupReservation[]>;
}
