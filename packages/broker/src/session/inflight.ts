/**
 * Packet identifiers in use towards one client, and the message of each.
 *
 * Identifiers run through 1 … 65,535 and around; a slot table of a power of two, at least twice as large as the window,
 * is indexed by the identifier's low bits. An identifier whose slot is still taken is skipped, so an old unacknowledged
 * message survives any number of turns around [MQTT-2.2.1-3], [MQTT-4.3.2-1]. Nothing is allocated per message.
 *
 * A message's content is not kept here: within one connection nothing is ever sent twice, and what must be sent again
 * after a reconnect is in a log. Members of shared groups, retained messages of durable sessions, and messages in
 * flight before a reconnect that are in no log have theirs in `contents`.
 */
import type { Publication } from '../message/publication.ts';
import type { Subscription } from './subscription.ts';

/** `withheld`: not to be sent now (suspended-subscriptions.ts); it takes no room of the window. */
export const InflightState = { none: 0, sent1: 1, sent2: 2, released: 3, withheld: 4 } as const;

/** Source of a message in flight, which is told when its handshake is complete. */
export interface InflightSource {
  /** Filter of the log; of a shared group its whole name. */
  readonly filter: string;
  /** False: an unacknowledged message goes to another member, unless its content is kept with the packet identifier. */
  readonly isKept: boolean;
  acknowledge(sequence: number): void;
  /** The store may know the packet identifier. */
  wasResent(sequence: number): boolean;
}

/** Further fields, which few messages need. */
export interface InflightContent {
  publication: Publication;
  /** The subscription it was sent for. */
  filter: string;
  /** The group member it was given to; null: a retained message. */
  member: Subscription | null;
}

const smallestSlots = 16;

export class OutboundInflight {
  count = 0;
  /** Bytes of all messages that the client may have to be sent again. */
  bytes = 0;
  /** Most messages at once: the client's Receive Maximum, within our own limit. */
  readonly max: number;
  private mask = smallestSlots - 1;
  private packetIds = new Uint16Array(smallestSlots);
  private states = new Uint8Array(smallestSlots);
  /** Bytes of each message; 0: it is not sent again, or was not sent on this connection yet. */
  private sizes = new Uint32Array(smallestSlots);
  private sequences: Float64Array | null = null;
  private sources: (InflightSource | null)[] | null = null;
  private contents: Map<number, InflightContent> | null = null;
  private last = 0;
  private withheld = 0;

  constructor(max: number) {
    this.max = max;
  }

  get isFull(): boolean {
    return this.count >= this.max;
  }

  /**
   * Returns the next free identifier, for a message of so many bytes. The caller has checked that the window is not
   * full.
   */
  take(qos: 1 | 2, source: InflightSource | null, sequence: number, bytes: number): number {
    if ((this.count + this.withheld + 1) * 2 > this.mask + 1) this.growSlots();
    let packetId = this.last;
    do {
      packetId = packetId === 65_535 ? 1 : packetId + 1;
    } while (this.states[packetId & this.mask] !== InflightState.none);
    this.last = packetId;
    this.put(packetId, qos === 1 ? InflightState.sent1 : InflightState.sent2, source, sequence);
    this.sizes[packetId & this.mask] = bytes;
    this.bytes += bytes;
    return packetId;
  }

  /** Restores an identifier that was in use before a reconnect. It counts no bytes until `sentAgain`. */
  restore(packetId: number, state: number, source: InflightSource | null, sequence: number): void {
    this.makeRoomFor(packetId);
    this.put(packetId, state, source, sequence);
    if (packetId > this.last) this.last = packetId;
  }

  private makeRoomFor(packetId: number): void {
    const isFull = (): boolean => (this.count + this.withheld + 1) * 2 > this.mask + 1;
    while (isFull() || this.states[packetId & this.mask] !== InflightState.none) this.growSlots();
  }

  /** Keeps an identifier that was in use before a reconnect from other messages; its own is withheld. */
  reserve(packetId: number): void {
    this.makeRoomFor(packetId);
    this.put(packetId, InflightState.withheld, null, 0);
    this.count--;
    this.withheld++;
    if (packetId > this.last) this.last = packetId;
  }

  /** Ends a reservation; `isReleased`: PUBREL is to be acknowledged. */
  endReservation(packetId: number, isReleased: boolean): void {
    this.withheld--;
    this.states[packetId & this.mask] = isReleased ? InflightState.released : InflightState.none;
    if (isReleased) this.count++;
  }

  /** A restored message of so many bytes is sent on this connection, too. */
  sentAgain(packetId: number, bytes: number): void {
    const slot = packetId & this.mask;
    this.bytes += bytes - this.sizes[slot];
    this.sizes[slot] = bytes;
  }

  private forgetSize(slot: number): void {
    this.bytes -= this.sizes[slot];
    this.sizes[slot] = 0;
  }

  private put(packetId: number, state: number, source: InflightSource | null, sequence: number): void {
    const slot = packetId & this.mask;
    this.packetIds[slot] = packetId;
    this.states[slot] = state;
    this.count++;
    // A number without a source: of a group, from before a reconnect (group-reservations.ts).
    if (source !== null || sequence > 0 || this.sources !== null) {
      if (this.sources === null || this.sequences === null) {
        this.sources = new Array<InflightSource | null>(this.mask + 1).fill(null);
        this.sequences = new Float64Array(this.mask + 1);
      }
      this.sources[slot] = source;
      this.sequences[slot] = sequence;
    }
  }

  keepContent(packetId: number, content: InflightContent): void {
    this.contents ??= new Map();
    this.contents.set(packetId, content);
  }

  contentOf(packetId: number): InflightContent | null {
    return this.contents?.get(packetId) ?? null;
  }

  stateOf(packetId: number): number {
    const slot = packetId & this.mask;
    return this.packetIds[slot] === packetId ? this.states[slot] : InflightState.none;
  }

  setReleased(packetId: number): void {
    const slot = packetId & this.mask;
    this.states[slot] = InflightState.released;
    this.forgetSize(slot);
    this.contents?.delete(packetId);
  }

  sourceOf(packetId: number): InflightSource | null {
    return this.sources === null ? null : this.sources[packetId & this.mask];
  }

  /** Takes the message from its source: from now on the session alone has it. */
  leaveSource(packetId: number): void {
    if (this.sources !== null) this.sources[packetId & this.mask] = null;
  }

  sequenceOf(packetId: number): number {
    return this.sequences === null ? 0 : this.sequences[packetId & this.mask];
  }

  release(packetId: number): void {
    const slot = packetId & this.mask;
    this.states[slot] = InflightState.none;
    this.forgetSize(slot);
    this.count--;
    if (this.sources !== null) this.sources[slot] = null;
    if (this.contents !== null) this.contents.delete(packetId);
  }

  /** Every identifier in use, in the order of assignment as far as that is known (around the wrap). */
  packetIdsInUse(): number[] {
    const found: number[] = [];
    for (let slot = 0; slot <= this.mask; slot++)
      if (this.states[slot] !== InflightState.none) found.push(this.packetIds[slot]);
    const last = this.last;
    return found.sort((a, b) => (a <= last ? a + 65_536 : a) - (b <= last ? b + 65_536 : b));
  }

  private growSlots(): void {
    const oldMask = this.mask;
    const { packetIds, states, sizes, sequences, sources } = this;
    const size = (oldMask + 1) * 2;
    this.mask = size - 1;
    this.packetIds = new Uint16Array(size);
    this.states = new Uint8Array(size);
    this.sizes = new Uint32Array(size);
    this.sequences = sequences === null ? null : new Float64Array(size);
    this.sources = sources === null ? null : new Array<InflightSource | null>(size).fill(null);
    for (let slot = 0; slot <= oldMask; slot++) {
      if (states[slot] === InflightState.none) continue;
      const to = packetIds[slot] & this.mask;
      this.packetIds[to] = packetIds[slot];
      this.states[to] = states[slot];
      this.sizes[to] = sizes[slot];
      if (this.sequences !== null && sequences !== null) this.sequences[to] = sequences[slot];
      if (this.sources !== null && sources !== null) this.sources[to] = sources[slot];
    }
  }
}
