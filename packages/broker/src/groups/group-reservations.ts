/**
 * QoS 2 messages of a shared group on their way to members here: each to exactly one client, whatever dies in between
 * (P2, [MQTT-4.8.2-4], [MQTT-4.8.2-5]).
 *
 * A message is reserved for a client in the group's record before anything else happens; the reservation becomes final
 * before PUBLISH leaves:
 *
 * | step | durable member | ephemeral member |
 * | --- | --- | --- |
 * | 1 | the group: reserved for the client | the group: reserved, final |
 * | 2 | the session: in flight, with its content | |
 * | 3 | the group: the reservation becomes final | |
 * | 4 | PUBLISH; the leader gets `final`: its cursor passes the number, and the same write deletes the reservation | the same |
 *
 * The group refuses to reserve a number that another client has, or that this client has with the epoch of another
 * leader. It refuses new reservations with the epoch of a leader that was replaced. A leader that finds a number
 * - not reserved: may assign it to any member, after its `claimGroup` has fenced all that was under way;
 * - reserved, final: is done with it; the session, if there is one, has it in its own record;
 * - reserved, not final: waits for the client. Either its endpoint is still at step 1 to 3, which it says when asked,
 *   or it was cut off there. The next connection of the session makes final whatever it finds in flight
 *   (`finalizeReservations`) before it sends any of it. A reservation that is not final after that was never sent: the
 *   leader may assign the message to any member.
 * However a durable member leaves the group, the store makes its reservations final: then no other client may get the
 * message.
 */
import { isShared } from '@dunlin/protocol';
import { sendPublish } from '../delivery/deliver.ts';
import type { Publication } from '../message/publication.ts';
import type { GroupReservation, GroupStore } from '../ports/group-store.ts';
import { events } from '../ports/log-events.ts';
import type { StoredOutbound } from '../ports/session-store.ts';
import { InflightState } from '../session/inflight.ts';
import type { Subscription } from '../session/subscription.ts';
import type { GroupMember, GroupMembers, GroupMembersParts } from './group-members.ts';

/** Time until a store that did not answer is asked again. */
const retryMilliseconds = 250;

interface PendingReservation {
  readonly member: GroupMember;
  readonly subscription: Subscription;
  readonly sequence: number;
  readonly packetId: number;
  readonly publication: Publication;
  readonly firstByte: number;
  /** Epoch of the leader that assigned it: a leader that was replaced may have assigned messages that others have. */
  readonly epoch: number;
  /** `finalizing`: the store is asked to make the reservation final. */
  step: 'reserving' | 'storing' | 'finalizing';
}

export class GroupReservations {
  private readonly members: GroupMembers;
  private readonly parts: GroupMembersParts;
  private readonly all = new Map<number, PendingReservation>();
  /** Reservations whose step the store is still to be told. */
  private queue: PendingReservation[] = [];
  private isScheduled = false;

  constructor(members: GroupMembers, parts: GroupMembersParts) {
    this.members = members;
    this.parts = parts;
  }

  has(sequence: number): boolean {
    return this.all.has(sequence);
  }

  numbers(): number[] {
    return [...this.all.keys()];
  }

  numbersOf(clientId: string): number[] {
    const found: number[] = [];
    for (const { member, sequence } of this.all.values())
      if (member.session.clientId === clientId) found.push(sequence);
    return found;
  }

  /** Begins a reservation for a member that has room. */
  begin(
    member: GroupMember,
    subscription: Subscription,
    sequence: number,
    publication: Publication,
    firstByte: number,
  ): void {
    const packetId = member.session.outboundInflight.take(2, member, sequence, publication.size);
    const { epoch } = this.members;
    const reservation: PendingReservation = {
      member,
      subscription,
      sequence,
      packetId,
      publication,
      firstByte,
      epoch,
      step: 'reserving',
    };
    this.all.set(sequence, reservation);
    this.enqueue(reservation);
  }

  private enqueue(reservation: PendingReservation): void {
    this.queue.push(reservation);
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.parts.clock.nextTurn(() => this.write());
  }

  private write(): void {
    this.isScheduled = false;
    const byEpoch = new Map<number, PendingReservation[]>();
    for (const reservation of this.queue) {
      const batch = byEpoch.get(reservation.epoch);
      if (batch === undefined) byEpoch.set(reservation.epoch, [reservation]);
      else batch.push(reservation);
    }
    this.queue = [];
    for (const [epoch, batch] of byEpoch) this.writeBatch(epoch, batch);
  }

  private writeBatch(epoch: number, batch: PendingReservation[]): void {
    const reservations = batch.map(({ member, sequence, step }): GroupReservation => {
      const { session } = member;
      return { sequence, clientId: session.clientId, isFinal: step === 'finalizing' || !session.isStored };
    });
    this.parts.store.groups.reserve({ group: this.members.group.name, epoch }, reservations).then(
      (answers) => {
        this.parts.delivery.turn.renew();
        for (let i = 0; i < batch.length; i++) this.answered(batch[i], answers[i]);
      },
      (error: unknown) => this.failed(batch, error),
    );
  }

  /** The outcome is unknown: the call is made again, since a reservation that stands must not be forgotten. */
  private failed(batch: PendingReservation[], error: unknown): void {
    this.parts.metrics.storeErrors++;
    this.parts.logger.warn(events['group-messages.reserve-failed'], {
      group: this.members.group.name,
      messages: batch.length,
      error,
    });
    const stop = this.parts.clock.every(retryMilliseconds, () => {
      stop();
      for (const reservation of batch) this.enqueue(reservation);
    });
  }

  private answered(reservation: PendingReservation, isReserved: boolean): void {
    const { member, sequence, packetId, step } = reservation;
    const { session } = member;
    if (!isReserved) {
      this.end(reservation, 'doubtful');
      if (step === 'finalizing') this.parts.writer.completed(session, packetId);
      this.free(reservation);
    } else if (step === 'finalizing' || (!session.isStored && !session.hasEnded)) {
      this.end(reservation, 'final');
      if (!session.hasEnded) this.publish(reservation);
    } else if (session.hasEnded || session.outbound?.stateOf(packetId) !== InflightState.sent2) {
      this.end(reservation, 'unsent');
    } else {
      this.store(reservation, sequence);
    }
  }

  private store(reservation: PendingReservation, sequence: number): void {
    const { member, packetId, publication } = reservation;
    reservation.step = 'storing';
    // From here on the message goes with the session, wherever that goes.
    member.session.outboundInflight.keepContent(packetId, { publication, filter: member.filter, member: null });
    const { filter } = member;
    const stored: StoredOutbound = { packetId, state: 'sent', qos: 2, filter, sequence, record: publication.bytes };
    this.parts.writer.setOutbound(member.session, stored, () => {
      reservation.step = 'finalizing';
      this.enqueue(reservation);
    });
  }

  private publish({ member, subscription, packetId, publication, firstByte }: PendingReservation): void {
    const { session } = member;
    const { delivery, writer } = this.parts;
    if (sendPublish(delivery, session.outlet, publication, firstByte, packetId, subscription.identifiers)) return;
    // Too large for this client: treated as delivered [MQTT-3.1.2-25].
    session.outboundInflight.release(packetId);
    if (session.isStored) writer.completed(session, packetId);
  }

  private end(reservation: PendingReservation, how: 'final' | 'unsent' | 'doubtful'): void {
    this.all.delete(reservation.sequence);
    this.members.finish(how, reservation.sequence);
  }

  private free({ member, packetId }: PendingReservation): void {
    const { session } = member;
    if (session.hasEnded || session.outbound === null) return;
    session.outbound.release(packetId);
    this.parts.delivery.roomCame(session);
  }

  /** A message in the record of the session goes with it; calls to the store that are under way are still answered. */
  sessionEnded(member: GroupMember): void {
    for (const reservation of [...this.all.values()]) {
      if (reservation.member === member && reservation.step === 'storing') this.end(reservation, 'doubtful');
    }
  }
}

/**
 * Makes the reservations of a durable session that has connected final: the messages it has in flight of groups belong
 * to it from now on. To be awaited before any of them is sent again. Rejects with StoreError.
 */
export async function finalizeReservations(
  groups: GroupStore,
  clientId: string,
  outbound: readonly StoredOutbound[],
): Promise<void> {
  const byGroup = new Map<string, GroupReservation[]>();
  for (const { filter, sequence, state } of outbound) {
    if (sequence === 0 || state !== 'sent' || !isShared(filter)) continue;
    const reservations = byGroup.get(filter) ?? [];
    byGroup.set(filter, reservations);
    reservations.push({ sequence, clientId, isFinal: true });
  }
  // With an epoch that no leader has: nothing is reserved that was not reserved before.
  await Promise.all([...byGroup].map(([group, reservations]) => groups.reserve({ group, epoch: 0 }, reservations)));
}
