/**
 * Members of one shared group at this endpoint, and the messages of its log that they hold (group-logs.ts describes
 * groups).
 *
 * Messages come from the leader, as many as the members have room for. Each goes to one member, chosen by the
 * configured strategy, or waits here for the member that the strategy wants. The leader is told what becomes of them in
 * batches, once a turn. A message that a member leaves unacknowledged goes back to the leader; so do waiting messages
 * when the last member leaves, or another leader begins: they were sent to no client.
 */
import { emptyStatus, type GroupControl, type GroupStatus, isEmptyStatus } from '../cluster/group-control.ts';
import { sendPublish } from '../delivery/deliver.ts';
import type { SessionDelivery } from '../delivery/session-delivery.ts';
import type { Publication } from '../message/publication.ts';
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import type { Limits } from '../ports/limits.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import { type InflightSource, InflightState } from '../session/inflight.ts';
import type { GroupMembership, Session } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';
import type { Subscription } from '../session/subscription.ts';
import { chooseLocalWithRoom, isParticular, type SharedGroup } from '../subscriptions/shared-subscriptions.ts';
import { GroupReservations } from './group-reservations.ts';

/**
 * Messages that an endpoint accepts from a leader at once, however much room its members have: other endpoints cannot
 * get them meanwhile.
 */
const takenAtOnceMax = 1000;

export interface GroupMembersParts {
  self: EndpointId;
  store: Pick<Store, 'logs' | 'groups'>;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  limits: Limits;
  delivery: SessionDelivery;
  writer: SessionWriter;
  /** Sends a control message to the leader. */
  tell: (to: EndpointId, control: GroupControl) => void;
}

/** Session in the group: it receives the acknowledgements of its messages. */
export class GroupMember implements InflightSource, GroupMembership {
  readonly isKept = false;
  readonly filter: string;
  readonly session: Session;
  readonly members: GroupMembers;

  constructor(members: GroupMembers, session: Session) {
    this.members = members;
    this.session = session;
    this.filter = members.group.name;
  }

  acknowledge(sequence: number): void {
    this.members.acknowledged(sequence);
  }

  place(): void {
    this.members.place();
  }

  sessionEnded(): void {
    this.members.sessionEnded(this);
  }

  wasResent(): boolean {
    return false;
  }
}

interface Waiting {
  sequence: number;
  publication: Publication;
}

export class GroupMembers {
  readonly group: SharedGroup;
  /** The leader; null: not known. */
  leader: EndpointId | null = null;
  /** The highest epoch that was heard of. */
  epoch = 0;
  private readonly parts: GroupMembersParts;
  private readonly reservations: GroupReservations;
  /** Messages that came from the leader in this epoch, and the count up to which it was told that it may send. */
  private received = 0;
  private limitTold = 0;
  private waiting: Waiting[] = [];
  /** QoS 1 messages in flight, with their members. */
  private readonly inFlight = new Map<number, GroupMember>();
  private status: GroupStatus = emptyStatus();
  private isScheduled = false;

  constructor(group: SharedGroup, parts: GroupMembersParts) {
    this.group = group;
    this.parts = parts;
    this.reservations = new GroupReservations(this, parts);
  }

  /** An endpoint leads from this epoch on. Returns false for an epoch of the past. */
  lead(leader: EndpointId, epoch: number): boolean {
    if (epoch < this.epoch) return false;
    this.leader = leader;
    this.epoch = epoch;
    this.received = 0;
    this.waiting = [];
    this.status.isFirst = true;
    this.schedule();
    return true;
  }

  /** A message was assigned to this endpoint. The leader bounds the number of them by the limit that it was told. */
  assigned(from: EndpointId, epoch: number, sequence: number, publication: Publication): void {
    if (from !== this.leader || epoch !== this.epoch) return;
    this.received++;
    this.waiting.push({ sequence, publication });
    this.place();
  }

  /** Distributes waiting messages: members have room again, joined or left. */
  place(): void {
    const { waiting, group } = this;
    this.schedule();
    if (waiting.length === 0) return;
    if (group.loggedMembers.members.length === 0) {
      this.waiting = [];
      for (const { sequence } of waiting) this.status.returned.push(sequence);
      return;
    }
    const strategy = this.parts.limits.sharedStrategy;
    const left: Waiting[] = [];
    for (let at = 0; at < waiting.length; at++) {
      const { sequence, publication } = waiting[at];
      const member = chooseLocalWithRoom(group.loggedMembers, strategy, publication);
      if (member !== null) {
        if (publication.expiresAt !== 0) publication.forgetVariants(); // its remaining expiry has changed
        this.deliverTo(member, sequence, publication);
      } else {
        left.push(waiting[at]);
        if (isParticular(strategy)) continue;
        left.push(...waiting.slice(at + 1));
        break;
      }
    }
    this.waiting = left;
  }

  /** Sends a message to a member that has room. Needs bytes of its own. */
  deliverTo(subscription: Subscription, sequence: number, publication: Publication): void {
    const { delivery, metrics } = this.parts;
    if (publication.isExpired(delivery.turn.now)) {
      metrics.dropped.expired++; // [MQTT-3.3.2-5]
      this.finish('done', sequence);
      return;
    }
    const member = this.memberOf(subscription);
    const { owedUpTo, owedQos, retainAsPublished } = subscription;
    const qos = Math.min(publication.qos, sequence <= owedUpTo ? owedQos : subscription.qos);
    if (qos === 0) {
      delivery.send(publication, subscription, retainAsPublished && publication.retain);
      this.finish('done', sequence);
      return;
    }
    // DUP is not set: to this client it is new.
    const firstByte = 0x30 | (qos << 1) | (retainAsPublished && publication.retain ? 1 : 0);
    if (qos === 2) {
      this.reservations.begin(member, subscription, sequence, publication, firstByte);
      return;
    }
    const { session } = subscription;
    const packetId = session.outboundInflight.take(1, member, sequence, publication.size);
    if (sendPublish(delivery, session.outlet, publication, firstByte, packetId, subscription.identifiers)) {
      this.inFlight.set(sequence, member);
    } else {
      // Too large for this client: treated as delivered [MQTT-3.1.2-25].
      session.outboundInflight.release(packetId);
      this.finish('done', sequence);
    }
  }

  /** Links session and group: from now on each is told about the other. */
  memberOf({ session }: Subscription): GroupMember {
    session.groupMembers ??= new Map();
    const known = session.groupMembers.get(this.group.name);
    if (known instanceof GroupMember && known.members === this) return known;
    const member = new GroupMember(this, session);
    session.groupMembers.set(this.group.name, member);
    return member;
  }

  acknowledged(sequence: number): void {
    if (this.inFlight.delete(sequence)) this.finish('done', sequence);
  }

  /** Records the outcome of a message for the next status. */
  finish(how: 'done' | 'final' | 'returned' | 'failed' | 'unsent' | 'doubtful', sequence: number): void {
    this.status[how].push(sequence);
    this.schedule();
  }

  /**
   * The connection is gone, or has moved: QoS 1 goes to another member, QoS 2 stays with the client [MQTT-4.8.2-4],
   * [MQTT-4.8.2-5].
   */
  leftInFlight({ session }: GroupMember, packetId: number): void {
    const { outboundInflight: outbound, isStored } = session;
    const sequence = outbound.sequenceOf(packetId);
    if (outbound.stateOf(packetId) === InflightState.sent1 && this.inFlight.delete(sequence)) {
      this.finish('failed', sequence);
      this.parts.metrics.groupGiveBacks++;
    } else if (!isStored && !this.reservations.has(sequence)) {
      this.parts.metrics.dropped['session-ended']++;
    }
  }

  /** The messages that the member had in flight are no longer here. */
  sessionEnded(member: GroupMember): void {
    this.reservations.sessionEnded(member);
  }

  /** Answers which of these clients are connected here, and which messages are on their way to them. */
  locate(from: EndpointId, clients: readonly string[], sessionOf: (clientId: string) => Session | undefined): void {
    for (const clientId of clients) {
      if (sessionOf(clientId)?.groupsSettled !== true) continue;
      const { group, epoch } = this;
      const busy = this.reservations.numbersOf(clientId);
      this.parts.tell(from, { kind: 'located', group: group.name, epoch, clientId, busy });
    }
  }

  /** The group no longer has a log. */
  ended(): void {
    this.parts.metrics.dropped['session-ended'] += this.waiting.length;
    this.waiting = [];
    this.leader = null;
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.parts.clock.nextTurn(() => this.tellNow());
  }

  /** Tells the leader, if there is one, the outcome of messages and how many more are accepted. */
  tellNow(): void {
    this.isScheduled = false;
    const { leader, status, epoch } = this;
    if (leader === null) return; // the next leader is told
    status.limit = this.received + this.room();
    if (isEmptyStatus(status) && !this.isRoomNews(status.limit)) return;
    if (status.isFirst) {
      status.holding = [...this.inFlight.keys()];
      status.reserving = this.reservations.numbers();
    }
    this.limitTold = status.limit;
    this.status = emptyStatus();
    this.parts.tell(leader, { kind: 'status', group: this.group.name, epoch, ...status });
  }

  /** Room alone is reported when the leader may have used up half of the limit that it knows. */
  private isRoomNews(limit: number): boolean {
    const known = this.limitTold - this.received;
    return this.leader !== this.parts.self && limit > this.limitTold && known * 2 <= limit - this.received;
  }

  private room(): number {
    let room = 0;
    for (const { session } of this.group.loggedMembers.members) {
      room += session.room;
      if (room >= takenAtOnceMax) break;
    }
    return Math.max(0, Math.min(room, takenAtOnceMax) - this.waiting.length);
  }
}
