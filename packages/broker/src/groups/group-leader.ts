/**
 * Leader of one shared group: it assigns each message of the log to one member, and again when the member leaves it
 * unacknowledged (group-logs.ts describes groups).
 *
 * ```
 *   log    1  2  3  4  5  6  7  8  9  10 …
 *          └──┘ done    │  └──┘ page      8 … not read yet
 *                3, 4 assigned to an endpoint; 5 in doubt: the store knows the client
 * ```
 *
 * A number is done, assigned, in doubt, or waits in the log. Of messages that are assigned only the numbers are kept. A
 * message that comes back waits in the log again: reading continues from there and skips the rest. So the lowest
 * numbers go first, and memory does not grow with the backlog (P7).
 *
 * Endpoints are asked what they hold before anything is assigned to them. When an endpoint is gone, its QoS 1 messages
 * wait again, and its QoS 2 messages are in doubt (group-doubts.ts), after a new epoch has fenced whatever of the
 * endpoint may still run.
 */
import type { GroupControl, GroupStatus } from '../cluster/group-control.ts';
import { writeRecord } from '../message/message-record.ts';
import type { Publication } from '../message/publication.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import type { GroupClaim, StoredGroupCursor } from '../ports/group-store.ts';
import { events } from '../ports/log-events.ts';
import { messagesBetween } from '../ports/log-numbers.ts';
import { StoreError } from '../ports/store-error.ts';
import type { DurableLog } from '../session/durable-log.ts';
import { chooseWithRoom, type SharedGroup } from '../subscriptions/shared-subscriptions.ts';
import { GroupAssignments } from './group-assignments.ts';
import { GroupCursor } from './group-cursor.ts';
import { GroupDoubts } from './group-doubts.ts';
import type { GroupLeaderParts } from './group-logs.ts';
import type { GroupMembers } from './group-members.ts';
import { type GroupFault, GroupReader } from './group-reader.ts';

/**
 * Time that endpoints have to answer before messages are assigned without knowing what they hold: then some of QoS 1
 * come twice.
 */
const askedMilliseconds = 5000;

/** Leadership of one group, as it was claimed. */
export interface Leadership {
  group: SharedGroup;
  log: DurableLog;
  claim: GroupClaim;
  members: GroupMembers;
}

export class GroupLeader {
  readonly group: SharedGroup;
  readonly log: DurableLog;
  epoch: number;
  /**
   * False once the leader has resigned, was replaced, or the group has ended: late answers no longer change anything.
   */
  isLeading = true;
  private readonly parts: GroupLeaderParts;
  private readonly members: GroupMembers;
  private readonly cursor: GroupCursor;
  /** Failed deliveries of each message. */
  private readonly failed: Map<number, number>;
  private readonly assignments: GroupAssignments;
  private readonly doubts: GroupDoubts;
  /** Messages that are being published as dead letters. */
  private readonly deadLetters = new Set<number>();
  private reservationsDelete = new Set<number>();
  private isDirty = false;
  private isWriting = false;
  /** A new epoch is needed before anything continues: an endpoint with QoS 2 messages is gone. */
  private needsClaim = false;
  private isClaiming = false;
  /** Time until which first answers of endpoints are awaited; 0: none is. */
  private askedUntil = 0;
  private readonly reader: GroupReader;

  constructor({ group, log, claim, members }: Leadership, parts: GroupLeaderParts) {
    this.group = group;
    this.log = log;
    this.epoch = claim.epoch;
    this.members = members;
    this.parts = parts;
    this.cursor = new GroupCursor(claim.cursor);
    this.failed = countsOf(claim.cursor.failed);
    this.assignments = new GroupAssignments(parts.limits.logPageBytes);
    this.doubts = new GroupDoubts({
      group: group.name,
      groupStore: parts.store.groups,
      free: (sequence) => {
        this.backToLog(sequence);
        this.pump();
      },
      done: (sequence) => this.done(sequence, true),
      deleteReservations: (sequences) => parts.store.groups.update(this.key, { reservationsDelete: sequences }),
      locate: (clients) => this.toEndpoints({ kind: 'locate', group: group.name, epoch: this.epoch, clients }),
      failed: (error) => this.storeFailed(events['group-reservations.read-failed'], error),
    });
    this.reader = new GroupReader(
      {
        ...{ log, logStore: parts.store.logs, clock: parts.clock, metrics: parts.metrics, limits: parts.limits },
        delivery: parts.delivery,
        isOpen: () => this.isLeading && !this.needsClaim && this.askedUntil === 0,
        waits: (sequence) => this.waits(sequence),
        assign: (sequence, publication) => this.assign(sequence, publication),
        passOver: (first, last) => this.passOver(first, last),
        failed: (event, error) => this.storeFailed(event, error),
      },
      this.cursor.acknowledged + 1,
    );
    this.begin(claim);
  }

  private get key(): { group: string; epoch: number } {
    return { group: this.group.name, epoch: this.epoch };
  }

  /** The group was claimed: the leader adopts what others have stored, and asks the endpoints what they hold. */
  private begin(claim: GroupClaim): void {
    this.epoch = claim.epoch;
    this.cursor.merge(claim.cursor);
    const reserved = new Set<number>();
    for (const { sequence, isFinal } of claim.reservations) {
      reserved.add(sequence);
      if (isFinal) this.done(sequence, true);
      else if (!this.assignments.has(sequence)) this.doubts.add(sequence);
    }
    for (const sequence of this.doubts.numbers()) if (!reserved.has(sequence)) this.doubts.resolved(sequence);
    this.reader.rewind(this.cursor.acknowledged + 1);
    this.assignments.askAll([this.parts.self, ...this.group.loggedMembers.remote.map(({ endpoint }) => endpoint)]);
    this.askedUntil = this.parts.clock.now() + askedMilliseconds;
    this.toEndpoints({ kind: 'lead', group: this.group.name, epoch: this.epoch });
  }

  /** Sends to all endpoints that were asked or have answered. */
  private toEndpoints(control: GroupControl): void {
    for (const endpoint of this.assignments.endpoints()) this.parts.tell(endpoint, control);
  }

  /** Members joined or left at some endpoint. */
  loggedMembersChanged(): void {
    if (this.needsClaim) return; // all are asked after the claim
    for (const { endpoint } of this.group.loggedMembers.remote) {
      if (this.assignments.isKnown(endpoint)) continue;
      this.assignments.ask(endpoint);
      this.parts.tell(endpoint, { kind: 'lead', group: this.group.name, epoch: this.epoch });
    }
    this.pump();
  }

  endpointLeft(endpoint: EndpointId): void {
    const { certain, doubtful } = this.assignments.left(endpoint);
    for (const sequence of certain) this.deliveredInVain(sequence);
    for (const sequence of doubtful) {
      this.noteFailure(sequence);
      this.doubts.add(sequence);
    }
    if (doubtful.length > 0) this.claimAnew();
    else this.goOn();
  }

  /** Fences whatever may still run of an endpoint that is gone. */
  private claimAnew(): void {
    this.needsClaim = true;
    if (this.isClaiming || !this.isLeading) return;
    this.isClaiming = true;
    this.parts.store.groups.claim(this.group.name).then(
      (claim) => {
        this.isClaiming = false;
        this.needsClaim = false;
        if (this.isLeading) this.begin(claim);
      },
      (error: unknown) => {
        this.isClaiming = false;
        this.storeFailed(events['group.claim-failed'], error);
      },
    );
  }

  statusReceived(from: EndpointId, epoch: number, status: GroupStatus): void {
    for (const sequence of status.done) this.done(sequence, false);
    for (const sequence of status.final) this.done(sequence, true);
    for (const sequence of status.returned) if (this.assignments.unassign(from, sequence)) this.backToLog(sequence);
    for (const sequence of status.failed) if (this.assignments.unassign(from, sequence)) this.deliveredInVain(sequence);
    for (const sequence of status.unsent)
      if (this.assignments.unassign(from, sequence)) this.doubts.addUnsent(sequence);
    for (const sequence of status.doubtful) if (this.assignments.unassign(from, sequence)) this.doubts.add(sequence);
    if (epoch === this.epoch) {
      if (status.isFirst) this.holds(from, status);
      this.assignments.setLimit(from, status.limit);
    }
    this.goOn();
    this.resolveDoubts();
  }

  /** Waits for a new epoch, which fences endpoints that might still reserve these messages. */
  private resolveDoubts(): void {
    if (!this.needsClaim) this.doubts.resolve();
  }

  /**
   * The endpoint has listed all that it holds. Messages that were assigned to it and are not in the list wait again.
   */
  private holds(from: EndpointId, { holding, reserving }: GroupStatus): void {
    const held = new Set([...holding, ...reserving]);
    for (const sequence of this.assignments.numbersAt(from)) {
      if (!held.has(sequence) && this.assignments.unassign(from, sequence)) this.backToLog(sequence);
    }
    for (const sequence of held) {
      if (this.cursor.has(sequence) || this.assignments.has(sequence)) continue;
      this.doubts.resolved(sequence);
      this.assignments.assign(from, sequence, reserving.includes(sequence), 0);
    }
    this.assignments.answered(from);
  }

  located(clientId: string, busy: readonly number[]): void {
    this.doubts.located(clientId, busy);
  }

  /** Continues when all endpoints have answered, or the time for it is over. */
  private goOn(): void {
    if (this.askedUntil > 0 && (!this.assignments.isWaiting || this.parts.clock.now() >= this.askedUntil))
      this.askedUntil = 0;
    this.pump();
  }

  private done(sequence: number, isReserved: boolean): void {
    this.assignments.remove(sequence);
    this.doubts.resolved(sequence);
    this.failed.delete(sequence);
    this.cursor.add(sequence);
    if (isReserved) this.reservationsDelete.add(sequence);
    this.isDirty = true;
  }

  private deliveredInVain(sequence: number): void {
    this.noteFailure(sequence);
    this.backToLog(sequence);
  }

  private noteFailure(sequence: number): void {
    if (this.cursor.has(sequence)) return;
    this.failed.set(sequence, (this.failed.get(sequence) ?? 0) + 1);
    this.isDirty = true;
  }

  /** The message waits in the log again. */
  private backToLog(sequence: number): void {
    if (!this.cursor.has(sequence)) this.reader.rewind(sequence);
  }

  /** Reads to the end of the log: endpoints may have appended before they knew of this reader. */
  checkEnd(): void {
    if (this.isLeading) this.reader.checkEnd();
  }

  /** Assigns messages as far as members have room. */
  pump(): void {
    this.reader.pump();
  }

  private waits(sequence: number): boolean {
    return !(
      this.cursor.has(sequence) ||
      this.assignments.has(sequence) ||
      this.doubts.has(sequence) ||
      this.deadLetters.has(sequence)
    );
  }

  /** Assigns a message to a member or an endpoint. False: none has room. */
  private assign(sequence: number, publication: Publication): boolean {
    const { parts, assignments } = this;
    if (this.isTooOld(publication)) {
      parts.metrics.dropped.expired++;
      this.done(sequence, false);
      return true;
    }
    const { groupDeliveriesMax, sharedStrategy } = parts.limits;
    if (groupDeliveriesMax > 0 && (this.failed.get(sequence) ?? 0) >= groupDeliveriesMax) {
      this.toDeadLetters(sequence, publication);
      return true;
    }
    const chosen = chooseWithRoom(
      this.group.loggedMembers,
      sharedStrategy,
      publication,
      parts.self,
      assignments.hasRoom,
    );
    if (chosen === null || !assignments.isAnswered(typeof chosen === 'string' ? chosen : parts.self)) return false;
    const isQos2 = publication.qos === 2;
    if (typeof chosen === 'string') {
      const record = writeRecord(publication);
      assignments.assign(chosen, sequence, isQos2, record.length);
      parts.tell(chosen, { kind: 'assign', group: this.group.name, epoch: this.epoch, sequence, record });
    } else {
      assignments.assign(parts.self, sequence, isQos2, 0);
      this.members.deliverTo(chosen, sequence, publication);
    }
    return true;
  }

  private isTooOld(publication: Publication): boolean {
    const { now } = this.parts.delivery.turn;
    const ttl = this.parts.limits.groupMessageTtlSeconds * 1000;
    if (publication.isExpired(now)) return true;
    return ttl > 0 && publication.publishedAt !== 0 && now >= publication.publishedAt + ttl;
  }

  /** Gives a message up after too many failed deliveries: it becomes a dead letter, and is done when that is safe. */
  private toDeadLetters(sequence: number, publication: Publication): void {
    this.deadLetters.add(sequence);
    void this.parts.publishDeadLetter(this.group, publication).then(() => {
      this.deadLetters.delete(sequence);
      this.done(sequence, false);
    });
  }

  private passOver(first: number, last: number): void {
    this.cursor.addAll(first, last);
    for (const sequence of this.failed.keys()) if (this.cursor.has(sequence)) this.failed.delete(sequence);
    this.isDirty = true;
  }

  /** Writes what has changed; called ten times a second. */
  write(): void {
    this.reader.retry();
    if (!this.isLeading || this.isWriting || this.needsClaim || !this.isDirty) return;
    const reservations = this.reservationsDelete;
    this.reservationsDelete = new Set();
    this.isDirty = false;
    this.isWriting = true;
    this.parts.store.groups.update(this.key, this.change(reservations)).then(
      () => {
        this.isWriting = false;
      },
      (error: unknown) => {
        this.isWriting = false;
        this.isDirty = true;
        for (const sequence of reservations) this.reservationsDelete.add(sequence);
        this.storeFailed(events['group-cursor.write-failed'], error);
      },
    );
  }

  private change(reservations: ReadonlySet<number>): { cursor: StoredGroupCursor; reservationsDelete: number[] } {
    return { cursor: this.cursor.stored(this.failed), reservationsDelete: [...reservations] };
  }

  /** Called every second. */
  everySecond(): void {
    if (this.needsClaim) this.claimAnew();
    else if (this.askedUntil > 0) this.goOn();
    else this.doubts.resolve();
  }

  private storeFailed(event: GroupFault, error: unknown): void {
    const { parts } = this;
    parts.metrics.storeErrors++;
    parts.logger.warn(event, { group: this.group.name, error });
    if (!this.isLeading || !(error instanceof StoreError)) return;
    if (error.code === 'fenced') parts.replaced(this);
    else if (error.code === 'unknown-group') parts.groupMayBeGone();
  }

  /** Ends leading: another endpoint leads, or the group has ended. Nothing is written any more. */
  stop(): void {
    if (!this.isLeading) return;
    this.isLeading = false;
    this.reader.stop();
  }

  /** Tells the endpoints that another leader is needed. */
  giveUp(): void {
    this.toEndpoints({ kind: 'resigned', group: this.group.name, epoch: this.epoch });
  }

  /** The last member at this endpoint has left. The next leader continues from what is written now. */
  resign(): void {
    if (!this.isLeading) return;
    this.giveUp();
    this.stop();
    const change = this.change(this.reservationsDelete);
    const { key } = this;
    this.parts.writeBack(() => this.parts.store.groups.update(key, change));
  }

  get lag(): number {
    return messagesBetween(this.cursor.acknowledged + this.cursor.aboveCount, this.log.lastSequence);
  }
}

function countsOf(failed: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (let at = 0; at < failed.length; at += 2) counts.set(failed[at], failed[at + 1]);
  return counts;
}
