/**
 * QoS 2 messages of a shared group on their way to members here: each to exactly one client, whatever dies in between (P2, [MQTT-4.8.2-4], [MQTT-4.8.2-5]).
 *
 * A number is taken for a client in the group's record before anything else happens, then for good before PUBLISH leaves:
 *
 * | step | durable member | ephemeral member |
 * | --- | --- | --- |
 * | 1 | the group: taken for the client | the group: taken for good |
 * | 2 | the session: in flight, with its content | |
 * | 3 | the group: taken for good | |
 * | 4 | PUBLISH; the leader hears `taken`: its cursor passes the number, and the take is forgotten in the same write | the same |
 *
 * The group refuses a take of a number that another client has, or this one by the word of another leader, and any new one by the word of a leader that was
 * replaced. So a leader that finds a number
 * - not taken: may give it to anybody, after its `claimGroup` has shut out all that was under way;
 * - taken for good: is done with it, and the session, if there is one, has it in its own record;
 * - taken otherwise: waits for the client. It, or its session, is either still at step 1 to 3, which its endpoint says when asked; or it was cut off there.
 *   The next connection of the session makes good whatever it finds in flight (`settle`) before anything of it is sent. What is not taken for good after
 *   that was never sent: the leader gives it to anybody.
 * However a durable member leaves the group, the store makes its takes final: then nobody else may get the message.
 */
import { isShared } from '@dunlin/protocol';
import { sendPublish } from '../delivery/deliver.ts';
import type { Publication } from '../message/publication.ts';
import type { GroupTake, Store, StoredOutbound } from '../ports/store.ts';
import { InflightState } from '../session/inflight.ts';
import type { Subscription } from '../session/subscription.ts';
import type { GroupMember, GroupMembers, GroupMembersParts } from './group-members.ts';

/** A store that did not answer is asked again after this. */
const retryMilliseconds = 250;

interface Taking {
  readonly member: GroupMember;
  readonly subscription: Subscription;
  readonly sequence: number;
  readonly packetId: number;
  readonly publication: Publication;
  readonly firstByte: number;
  /** Of the leader that gave it: one that was replaced may have given what others have. */
  readonly epoch: number;
  /** `sealing`: on its way to be taken for good. */
  step: 'taking' | 'storing' | 'sealing';
}

export class GroupTakes {
  private readonly members: GroupMembers;
  private readonly parts: GroupMembersParts;
  private readonly all = new Map<number, Taking>();
  /** Those whose step is for the store to be told of. */
  private queue: Taking[] = [];
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

  /** The member has room. */
  begin(
    member: GroupMember,
    subscription: Subscription,
    sequence: number,
    publication: Publication,
    firstByte: number,
  ): void {
    const packetId = member.session.outboundInflight.take(2, member, sequence);
    const { epoch } = this.members;
    const taking: Taking = { member, subscription, sequence, packetId, publication, firstByte, epoch, step: 'taking' };
    this.all.set(sequence, taking);
    this.enqueue(taking);
  }

  private enqueue(taking: Taking): void {
    this.queue.push(taking);
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.parts.clock.nextTurn(() => this.write());
  }

  private write(): void {
    this.isScheduled = false;
    const byEpoch = new Map<number, Taking[]>();
    for (const taking of this.queue) {
      const batch = byEpoch.get(taking.epoch);
      if (batch === undefined) byEpoch.set(taking.epoch, [taking]);
      else batch.push(taking);
    }
    this.queue = [];
    for (const [epoch, batch] of byEpoch) this.writeBatch(epoch, batch);
  }

  private writeBatch(epoch: number, batch: Taking[]): void {
    const takes = batch.map(({ member, sequence, step }): GroupTake => {
      const { session } = member;
      return { sequence, clientId: session.clientId, isFinal: step === 'sealing' || !session.stored };
    });
    this.parts.store.takeFromGroup({ group: this.members.group.name, epoch }, takes).then(
      (answers) => {
        this.parts.delivery.turn.renew();
        for (let i = 0; i < batch.length; i++) this.answered(batch[i], answers[i]);
      },
      (error: unknown) => this.failed(batch, error),
    );
  }

  /** Nothing is known of the outcome: asked again, since a take that stands must not be forgotten. */
  private failed(batch: Taking[], error: unknown): void {
    this.parts.metrics.storeErrors++;
    this.parts.logger.warn('messages of a group could not be taken; it will be tried again', {
      group: this.members.group.name,
      messages: batch.length,
      error,
    });
    const stop = this.parts.clock.every(retryMilliseconds, () => {
      stop();
      for (const taking of batch) this.enqueue(taking);
    });
  }

  private answered(taking: Taking, isTaken: boolean): void {
    const { member, sequence, packetId, step } = taking;
    const { session } = member;
    if (!isTaken) {
      this.end(taking, 'doubtful');
      if (step === 'sealing') this.parts.writer.completed(session, packetId);
      this.free(taking);
    } else if (step === 'sealing' || (!session.stored && !session.ended)) {
      this.end(taking, 'taken');
      if (!session.ended) this.publish(taking);
    } else if (session.ended || session.outbound?.stateOf(packetId) !== InflightState.sent2) {
      this.end(taking, 'unsent');
    } else {
      this.store(taking, sequence);
    }
  }

  private store(taking: Taking, sequence: number): void {
    const { member, packetId, publication } = taking;
    taking.step = 'storing';
    // From here on it goes with the session, wherever that goes.
    member.session.outboundInflight.keepContent(packetId, { publication, filter: member.filter, member: null });
    const { filter } = member;
    const stored: StoredOutbound = { packetId, state: 'sent', qos: 2, filter, sequence, record: publication.bytes };
    this.parts.writer.setOutbound(member.session, stored, () => {
      taking.step = 'sealing';
      this.enqueue(taking);
    });
  }

  private publish({ member, subscription, packetId, publication, firstByte }: Taking): void {
    const { session } = member;
    const { delivery, writer } = this.parts;
    if (sendPublish(delivery, session.outlet, publication, firstByte, packetId, subscription.identifiers)) return;
    // Too large for this client: treated as delivered [MQTT-3.1.2-25].
    session.outboundInflight.release(packetId);
    if (session.stored) writer.completed(session, packetId);
  }

  private end(taking: Taking, how: 'taken' | 'unsent' | 'doubtful'): void {
    this.all.delete(taking.sequence);
    this.members.finish(how, taking.sequence);
  }

  private free({ member, packetId }: Taking): void {
    const { session } = member;
    if (session.ended || session.outbound === null) return;
    session.outbound.release(packetId);
    this.parts.delivery.roomCame(session);
  }

  /** What is in its record goes with it; what the store was asked is answered yet. */
  sessionEnded(member: GroupMember): void {
    for (const taking of [...this.all.values()]) {
      if (taking.member === member && taking.step === 'storing') this.end(taking, 'doubtful');
    }
  }
}

/**
 * A durable session has connected: what it has in flight of groups is its own from now on. To be awaited before any of it is sent again. Rejects with
 * StoreError.
 */
export async function settleTakes(store: Store, clientId: string, outbound: readonly StoredOutbound[]): Promise<void> {
  const byGroup = new Map<string, GroupTake[]>();
  for (const { filter, sequence, state } of outbound) {
    if (sequence === 0 || state !== 'sent' || !isShared(filter)) continue;
    const takes = byGroup.get(filter) ?? [];
    byGroup.set(filter, takes);
    takes.push({ sequence, clientId, isFinal: true });
  }
  // With an epoch that no leader has: nothing is taken that was not taken before.
  await Promise.all([...byGroup].map(([group, takes]) => store.takeFromGroup({ group, epoch: 0 }, takes)));
}
