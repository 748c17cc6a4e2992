/**
 * Shared groups with a log: groups that have a durable member, connected or not (ARCHITECTURE.md, section 6).
 *
 * The group has one cursor in the log of its filter. One endpoint with connected members leads it: it claims the group
 * in the store, which fences the leader before, reads the log, and assigns each message to one member within what its
 * session takes; to members here directly, to others by a control message on the link (cluster/group-control.ts). The
 * parts:
 *
 * | file | does |
 * | --- | --- |
 * | group-leader.ts, group-assignments.ts, group-cursor.ts | reads the log, assigns messages, takes them back, records which are done |
 * | group-members.ts | the members of one endpoint, and the messages that they hold |
 * | group-reservations.ts, group-doubts.ts | each QoS 2 message to exactly one client, through crashes |
 * | dead-letters.ts, group-housekeeping.ts | messages that no member acknowledges; messages that wait too long; how many wait |
 *
 * Choice of the leader: a hash of group and endpoint orders the endpoints with members. An endpoint that has not heard
 * of a leader waits, longer the later it stands in that order, and then claims the group; without other endpoints it
 * claims at once. A leader stays until it dies or its last member leaves; then the first of the rest claims at once.
 * Two claims do no harm: the later one has fenced the other.
 *
 * While no member is connected, messages stay in the log, bounded by its limits, their expiry and
 * `limits.groupMessageTtlSeconds`. Members that subscribed with QoS 0 do not take part, except those that had a higher
 * QoS before and are still owed messages: they get what is published with QoS 0, which goes to any connected member at
 * once. A group begins with its first durable member. Messages of that moment may reach ephemeral members twice,
 * because endpoints use both ways, live and logged, until they know of the group.
 */
import { fnvOfText, mixedHash } from '@dunlin/protocol';
import type { GroupControl } from '../cluster/group-control.ts';
import type { PublishRouter } from '../delivery/publish-router.ts';
import type { DurableFilters, GroupsWatcher } from '../logs/durable-filters.ts';
import { readRecord } from '../message/message-record.ts';
import type { Publication } from '../message/publication.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import type { GroupClaim } from '../ports/group-store.ts';
import { events } from '../ports/log-events.ts';
import { StoreError } from '../ports/store-error.ts';
import type { Session } from '../session/session.ts';
import type { Subscription } from '../session/subscription.ts';
import type { SharedGroup, SharedGroupWatcher } from '../subscriptions/shared-subscriptions.ts';
import type { SubscriptionTree } from '../subscriptions/subscription-tree.ts';
import { WorkTimer } from '../work/work-timer.ts';
import { publishDeadLetter } from './dead-letters.ts';
import { GroupLeader } from './group-leader.ts';
import { GroupMember, GroupMembers, type GroupMembersParts } from './group-members.ts';

const writeMilliseconds = 100;
const secondMilliseconds = 1000;
/** Time to wait for a leader, and the additional time of each later place in the order. */
const patienceMilliseconds = 1000;

export interface GroupLeaderParts extends GroupMembersParts {
  publishDeadLetter: (group: SharedGroup, publication: Publication) => Promise<void>;
  /** A later claim has fenced the leader. */
  replaced: (leader: GroupLeader) => void;
  /** The store knows no such group. */
  groupMayBeGone: () => void;
  /** Starts a write that is awaited only when the worker stops. */
  writeBack: (write: () => Promise<void>) => void;
}

export interface GroupLogsParts extends Omit<GroupMembersParts, 'tell'> {
  tree: SubscriptionTree;
  durableFilters: DurableFilters;
  router: PublishRouter;
  /** Sends a control message to another endpoint. */
  sendTo: (to: EndpointId, control: GroupControl) => void;
  writeBack: (write: () => Promise<void>) => void;
  isThere: (endpoint: EndpointId) => boolean;
  sessionOf: (clientId: string) => Session | undefined;
  /** The log of a filter has a reader here, or no longer has one. */
  filterChanged: (filter: string) => void;
  /** Resolves when other endpoints know of the change. */
  routesConfirmed: () => Promise<void>;
}

/** Group as this endpoint sees it. */
class GroupLog {
  readonly group: SharedGroup;
  readonly members: GroupMembers;
  leader: GroupLeader | null = null;
  isClaiming = false;
  /** Time since when a leader is missed; 0: none is. */
  missedSince = 0;
  /** True when there was a leader, so that no other will announce itself. */
  hadLeader = false;

  constructor(group: SharedGroup, members: GroupMembers) {
    this.group = group;
    this.members = members;
  }
}

export class GroupLogs implements GroupsWatcher, SharedGroupWatcher {
  private readonly parts: GroupLogsParts;
  private readonly leaderParts: GroupLeaderParts;
  private readonly groups = new Map<string, GroupLog>();
  private readonly leaders = new Set<GroupLeader>();
  /** Groups whose leadership is to be checked: at the end of the turn, and again as long as a leader is missed. */
  private readonly unsettled = new Set<GroupLog>();
  private isScheduled = false;
  private readonly writing: WorkTimer;

  constructor(parts: GroupLogsParts) {
    this.parts = parts;
    this.leaderParts = {
      ...parts,
      tell: (to, control) => (to === parts.self ? this.received(to, control) : parts.sendTo(to, control)),
      publishDeadLetter: (group, publication) =>
        publishDeadLetter(parts.router, parts.logger, parts.metrics, group, publication),
      replaced: (leader) => this.replaced(leader),
      groupMayBeGone: () => parts.durableFilters.markStale(),
    };
    this.writing = new WorkTimer(parts.clock, writeMilliseconds, () => {
      for (const leader of this.leaders) leader.write();
      return this.leaders.size > 0;
    });
    parts.clock.every(secondMilliseconds, () => {
      for (const leader of this.leaders) leader.everySecond();
      if (this.unsettled.size > 0) this.look();
    });
  }

  /** Groups that this endpoint leads. */
  get ledCount(): number {
    return this.leaders.size;
  }

  /** Messages that wait in each group that this endpoint leads. */
  *lags(): Iterable<{ group: string; lag: number }> {
    for (const { group, lag } of this.leaders) yield { group: group.name, lag };
  }

  /** True when the group has a connected member that gets logged messages. */
  hasLoggedMembers(name: string): boolean {
    const group = this.groups.get(name)?.group;
    return group !== undefined && group.loggedMembers.members.length + group.loggedMembers.remoteCount > 0;
  }

  /** All connections are closed: leaders write back the cursors of their groups. */
  stop(): void {
    this.look();
  }

  groupAdded(group: SharedGroup): void {
    const log = new GroupLog(group, new GroupMembers(group, this.leaderParts));
    this.groups.set(group.name, log);
    for (const member of group.loggedMembers.members) log.members.memberOf(member);
    this.changed(log);
  }

  /** A subscription to a group is in force. */
  joined(subscription: Subscription): void {
    if (subscription.owedQos > 0) this.groups.get(subscription.filter)?.members.memberOf(subscription);
  }

  /** No message waits in its group, as far as this endpoint knows: the member may leave. */
  isServed({ filter }: Subscription): boolean {
    return this.groups.get(filter)?.leader?.lag === 0;
  }

  groupRemoved(group: SharedGroup): void {
    const log = this.groups.get(group.name);
    if (log === undefined) return;
    this.groups.delete(group.name);
    this.unsettled.delete(log);
    if (log.leader !== null) {
      this.parts.metrics.dropped['session-ended'] += log.leader.lag;
      this.stopLeading(log, log.leader);
    }
    log.members.ended();
  }

  loggedMembersChanged(group: SharedGroup): void {
    const log = this.groups.get(group.name);
    if (log?.group === group) this.changed(log);
  }

  private changed(log: GroupLog): void {
    this.unsettled.add(log);
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.parts.clock.nextTurn(() => {
      this.isScheduled = false;
      this.look();
    });
  }

  private look(): void {
    for (const log of [...this.unsettled]) if (this.settle(log)) this.unsettled.delete(log);
  }

  /** Claims, keeps or gives up the leadership of a group. False: it has to be checked again. */
  private settle(log: GroupLog): boolean {
    const { members, group } = log;
    const { loggedMembers } = group;
    members.place();
    if (loggedMembers.members.length === 0) {
      log.missedSince = 0;
      if (log.leader !== null) {
        members.tellNow();
        log.leader.resign();
        this.stopLeading(log, log.leader);
      }
      return true;
    }
    if (log.leader !== null) {
      log.leader.loggedMembersChanged();
      return true;
    }
    const known = members.leader;
    if (known !== null) {
      const isThere = this.parts.isThere(known);
      if (isThere && loggedMembers.hasAt(known)) return true;
      // A leader that is still there is told what becomes of its messages until it has said that it resigns.
      if (!isThere) members.leader = null;
      log.hadLeader = true;
    }
    if (!log.isClaiming && this.isTurn(log)) this.claim(log);
    return false;
  }

  private isTurn(log: GroupLog): boolean {
    const { group, hadLeader } = log;
    const now = this.parts.clock.now();
    if (log.missedSince === 0) log.missedSince = now;
    const others = group.loggedMembers.remote;
    if (others.length === 0) return true;
    const own = rankOf(group.name, this.parts.self);
    let rank = hadLeader ? 0 : 1;
    for (const { endpoint } of others) {
      const other = rankOf(group.name, endpoint);
      if (other < own || (other === own && endpoint < this.parts.self)) rank++;
    }
    return now - log.missedSince >= rank * patienceMilliseconds;
  }

  private claim(log: GroupLog): void {
    const { name } = log.group;
    log.isClaiming = true;
    this.parts.store.groups.claim(name).then(
      (claim) => {
        log.isClaiming = false;
        if (this.groups.get(name) === log) this.claimed(log, claim);
      },
      (error: unknown) => {
        log.isClaiming = false;
        if (error instanceof StoreError && error.code === 'unknown-group') {
          this.parts.durableFilters.markStale();
          return;
        }
        this.parts.metrics.storeErrors++;
        this.parts.logger.warn(events['group.claim-failed'], {
          group: name,
          error,
        });
      },
    );
  }

  private claimed(log: GroupLog, claim: GroupClaim): void {
    const { group, members } = log;
    // Another endpoint has claimed the group since, or no member is left here to lead it for.
    if (members.epoch > claim.epoch || group.loggedMembers.members.length === 0) return;
    const durable = this.parts.durableFilters.add(group.filter, 0);
    const leader = new GroupLeader({ group, log: durable, claim, members }, this.leaderParts);
    log.leader = leader;
    log.missedSince = 0;
    this.leaders.add(leader);
    this.writing.start();
    this.parts.filterChanged(group.filter);
    // Messages that others append until they know of the reader come without a frame: they are read.
    void this.parts.routesConfirmed().then(() => leader.checkEnd());
  }

  private stopLeading(log: GroupLog, leader: GroupLeader): void {
    leader.stop();
    this.leaders.delete(leader);
    log.leader = null;
    if (log.members.leader === this.parts.self) log.members.leader = null;
    this.parts.filterChanged(log.group.filter);
  }

  private replaced(leader: GroupLeader): void {
    const log = this.groups.get(leader.group.name);
    if (log?.leader !== leader) return;
    leader.giveUp();
    this.stopLeading(log, leader);
    log.hadLeader = false;
    this.changed(log);
  }

  /** Handles a control message of the leader, or for it. */
  received(from: EndpointId, control: GroupControl): void {
    let log = this.groups.get(control.group);
    if (log === undefined && control.kind === 'lead') {
      // The announcement of the group is still on its way.
      this.parts.durableFilters.addGroup(control.group);
      log = this.groups.get(control.group);
    }
    if (log === undefined) return;
    switch (control.kind) {
      case 'lead':
        this.led(log, from, control.epoch);
        break;
      case 'resigned':
        if (log.members.leader !== from || control.epoch < log.members.epoch) break;
        log.members.leader = null;
        log.hadLeader = true;
        this.changed(log);
        break;
      case 'assign':
        log.members.assigned(from, control.epoch, control.sequence, readRecord(control.record));
        break;
      case 'locate':
        log.members.locate(from, control.clients, this.parts.sessionOf);
        break;
      case 'status':
        log.leader?.statusReceived(from, control.epoch, control);
        break;
      case 'located':
        log.leader?.located(control.clientId, control.busy);
        break;
    }
  }

  private led(log: GroupLog, from: EndpointId, epoch: number): void {
    if (!log.members.lead(from, epoch)) return;
    log.missedSince = 0;
    log.hadLeader = true;
    if (from !== this.parts.self && log.leader !== null) this.stopLeading(log, log.leader);
  }

  endpointLeft(endpoint: EndpointId): void {
    for (const leader of this.leaders) leader.endpointLeft(endpoint);
    for (const log of this.groups.values()) if (log.members.leader === endpoint) this.changed(log);
  }

  /** The session ends here, or moves to another endpoint. */
  sessionEnded(session: Session): void {
    const { groupMembers, outbound } = session;
    if (groupMembers === null) return;
    if (outbound !== null) {
      for (const packetId of outbound.packetIdsInUse()) {
        const source = outbound.sourceOf(packetId);
        if (source instanceof GroupMember) source.members.leftInFlight(source, packetId);
      }
    }
    for (const member of groupMembers.values()) member.sessionEnded();
  }

  /** A session has room for further messages again. */
  roomCame(session: Session): void {
    if (session.groupMembers === null) return;
    for (const [name, member] of session.groupMembers) {
      member.place();
      this.groups.get(name)?.leader?.pump();
    }
  }
}

/** Rank of an endpoint for a group, by a rendezvous (HRW) hash of both names. */
function rankOf(group: string, endpoint: EndpointId): number {
  return mixedHash(fnvOfText(endpoint, fnvOfText(group)));
}
