/**
 * Routing of a publish once its topic was matched (ARCHITECTURE.md, section 3, steps 4 to 6).
 *
 * Everything that an acknowledgement waits for is added to it here: the append to every log, the frame to every other
 * endpoint, the write of the retained message. Nothing else may acknowledge (P1).
 */
import { matchedFilter, parseShare } from '@dunlin/protocol';
import type { MessageEntry } from '../cluster/entries.ts';
import type { Links, LostMessages } from '../cluster/links.ts';
import type { LogRoom } from '../guards/log-room.ts';
import type { AppendQueue } from '../logs/append-queue.ts';
import type { DurableFilters } from '../logs/durable-filters.ts';
import { readRecord, writeRecord } from '../message/message-record.ts';
import { type Pending, PendingForOthers, PendingPromise } from '../message/pending.ts';
import type { Publication } from '../message/publication.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import type { Limits } from '../ports/limits.ts';
import { events } from '../ports/log-events.ts';
import type { AppendRequest } from '../ports/log-store.ts';
import type { Session } from '../session/session.ts';
import type { Subscription } from '../session/subscription.ts';
import { chooseLocal, chooseMember, type SharedGroup } from '../subscriptions/shared-subscriptions.ts';
import type { SubscriptionTree } from '../subscriptions/subscription-tree.ts';
import type { TopicMatch, TopicMatches } from '../subscriptions/topic-match.ts';
import type { RareWarnings } from '../work/rare-warnings.ts';
import type { StoreTrust } from '../work/store-trust.ts';
import { deliverAcknowledged, deliverQos0 } from './deliver.ts';
import { GivenMessages, type ProducerNumber } from './given-messages.ts';
import type { RetainedMessages } from './retained.ts';
import type { SessionDelivery } from './session-delivery.ts';

export interface PublishRouterParts {
  delivery: SessionDelivery;
  appends: AppendQueue;
  links: Links;
  retained: RetainedMessages;
  durableFilters: DurableFilters;
  matches: TopicMatches;
  tree: SubscriptionTree;
  limits: Limits;
  trust: StoreTrust;
  self: EndpointId;
  logRoom: LogRoom;
  warnings: RareWarnings;
}

/** Producer of a QoS 2 message, for its log record (P2). */
export type Producer = Pick<AppendRequest, 'producer' | 'inbound'>;
const noProducer: Producer = { producer: null, inbound: null };

/**
 * Limit of times that a message for a group is forwarded: two endpoints that each believe that the other has members
 * must not pass it to and fro.
 */
const hopsMax = 3;
const noEndpoints: readonly EndpointId[] = [];
const noGroups: string[] = [];
const noLogs: MessageEntry['logs'] = [];

export class PublishRouter {
  private readonly parts: PublishRouterParts;
  private readonly given = new GivenMessages();

  constructor(parts: PublishRouterParts) {
    this.parts = parts;
  }

  /**
   * Publishes like `publish`, if there is a receiver; false: there is none. Throws ProtocolError for an invalid topic
   * name.
   */
  async publishIfWanted(publication: Publication): Promise<boolean> {
    const match = this.parts.matches.find(publication.bytes, publication.topicStart, publication.topicEnd);
    if (match.isEmptyFor(publication.qos)) return false;
    await this.publish(publication);
    return true;
  }

  /**
   * Routes a publication that is not a client's PUBLISH packet. Resolves when it is as safe as an acknowledged one. No
   * publisher would repeat it: what a store that lost recent writes may have lost is routed again here.
   */
  async publish(publication: Publication): Promise<void> {
    for (let isSafe = false; !isSafe; ) {
      const match = this.parts.matches.find(publication.bytes, publication.topicStart, publication.topicEnd);
      const safe = new PendingPromise(this.parts.trust);
      this.route(publication, match, null, safe, noProducer);
      safe.settle();
      isSafe = await safe.promise;
    }
  }

  /** Routes a publication to all receivers. `publisher`: whose user a retained message is charged to; null: it is that of the publication. */
  route(
    publication: Publication,
    match: TopicMatch,
    publisher: Session | null,
    acknowledgement: Pending | null,
    producer: Producer,
  ): void {
    const { delivery } = this.parts;
    if (publication.retain && this.parts.limits.retainAvailable)
      this.retain(publication, match, publisher, acknowledgement);
    if (publication.qos === 0) deliverQos0(delivery, publication, match.all);
    else if (match.live.length > 0 && (producer.producer === null || this.given.takes(producer.producer)))
      deliverAcknowledged(delivery, publication, match.live);
    const groups = publication.qos === 0 ? match.groups : match.liveGroups;
    const remoteGroups = groups.length > 0 ? this.toGroups(publication, groups) : null;
    if (publication.qos === 0 || (match.logs.length === 0 && producer.inbound === null)) {
      this.toEndpoints(publication, match, remoteGroups, noLogs, acknowledgement, null);
    } else {
      this.append(publication, match, remoteGroups, acknowledgement, producer);
    }
    if (match.isEmptyFor(publication.qos)) {
      delivery.metrics.dropped['no-subscriber']++;
      delivery.fates.dropped('no-subscriber', '', publication);
    }
  }

  private retain(
    publication: Publication,
    match: TopicMatch,
    publisher: Session | null,
    acknowledgement: Pending | null,
  ): void {
    const user = publisher === null ? publication.user : (publisher.connection.signIn.userName ?? '');
    if (acknowledgement !== null) {
      acknowledgement.waits++;
      acknowledgement.needsStored(this.parts.trust.losses);
    }
    const done =
      acknowledgement === null
        ? null
        : (refusal: string): void => {
            if (refusal !== '') acknowledgement.quotaExceeded(refusal);
            acknowledgement.settle();
          };
    const held = publisher === null ? null : publisher.outlet.owner.reading;
    this.parts.retained.set(publication, match.topic, user, held, done);
  }

  private append(
    publication: Publication,
    match: TopicMatch,
    remoteGroups: Map<EndpointId, string[]> | null,
    acknowledgement: Pending | null,
    producer: Producer,
  ): void {
    const { logs } = match;
    // For the limit on the time that it waits in groups.
    const isTimed = this.parts.limits.groupMessageTtlSeconds > 0 && match.groups.length > match.liveGroups.length;
    const record = writeRecord(publication, null, isTimed ? this.parts.delivery.turn.now : publication.publishedAt);
    // Wills and delayed messages were accepted before; they have quotas of their own.
    if (acknowledgement?.isOfClient && logs.length > 0 && !this.parts.logRoom.take(record.length * logs.length)) {
      this.refused(publication, match, acknowledgement);
      this.toEndpoints(publication, match, remoteGroups, noLogs, acknowledgement, producer.producer);
      return;
    }
    if (acknowledgement !== null) acknowledgement.waits++;
    const hasRemote = match.endpoints.length > 0 || remoteGroups !== null;
    this.parts.appends.add({
      request: {
        filters: logs.map((log) => log.filter),
        record,
        expiresAt: publication.expiresAt === 0 ? Number.POSITIVE_INFINITY : publication.expiresAt,
        producer: producer.producer,
        inbound: producer.inbound,
      },
      logs,
      acknowledgement,
      appended: (sequences, appended) => {
        if (sequences.includes(0)) this.notLogged(sequences, match, appended, acknowledgement);
        if (!hasRemote) return;
        const numbered = logs
          .map((log, i) => ({ filter: log.filter, sequence: Math.abs(sequences[i]) }))
          .filter((log) => log.sequence > 0);
        this.toEndpoints(appended, match, remoteGroups, numbered, acknowledgement, producer.producer);
      },
    });
    // Without logs `appended` is not called; frames then do not depend on log numbers.
    if (logs.length === 0 && hasRemote)
      this.toEndpoints(publication, match, remoteGroups, noLogs, acknowledgement, producer.producer);
  }

  /** Refuses a message that has no room in the logs: durable sessions do not get it, and its publisher hears so. */
  private refused(publication: Publication, { topic }: TopicMatch, acknowledgement: Pending): void {
    const { logRoom, warnings, delivery } = this.parts;
    delivery.metrics.dropped['logs-full']++;
    delivery.fates.dropped('logs-full', '', publication);
    warnings.warn(events['append.refused'], publication.publisher, { topic, reason: logRoom.refusal });
    acknowledgement.quotaExceeded(logRoom.refusal);
  }

  /**
   * Routes a QoS 2 message that its publisher repeats through this endpoint, since its former endpoint may have died
   * before it routed the message. The logs and their readers have it; ephemeral subscribers get it unless they have it
   * (given-messages.ts), a retained message is set. Members of groups without a log do not get it: it is unknown
   * whether one of them did.
   */
  routeAgain(
    publication: Publication,
    match: TopicMatch,
    publisher: Session,
    acknowledgement: Pending,
    from: ProducerNumber,
  ): void {
    const { delivery, limits, links } = this.parts;
    if (publication.retain && limits.retainAvailable) this.retain(publication, match, publisher, acknowledgement);
    if (match.live.length > 0 && this.given.takesRepetition(from))
      deliverAcknowledged(delivery, publication, match.live);
    if (match.liveEndpoints.length === 0) return;
    const producer = { ...from, isRepeated: true };
    const entry = { record: writeRecord(publication), toSubscriptions: true, groups: noGroups, logs: noLogs, producer };
    for (const endpoint of match.liveEndpoints) links.send(endpoint, entry, acknowledgement);
  }

  /**
   * Handles filters that have no log any more. A group that still has members gets the message at once, like a group
   * without durable members.
   */
  private notLogged(
    sequences: readonly number[],
    match: TopicMatch,
    publication: Publication,
    acknowledgement: Pending | null,
  ): void {
    this.parts.durableFilters.markStale();
    for (const group of match.groups) {
      const at = group.isLogged ? match.logs.findIndex(({ filter }) => filter === group.filter) : -1;
      if (at >= 0 && sequences[at] === 0) this.redispatch(group, publication, acknowledgement);
    }
  }

  /**
   * QoS 0 may be lost, so it goes on the passing stream. QoS 1 and 2 go on the kept stream to endpoints where some
   * subscriber has no log. Endpoints with durable subscribers alone have the log; the passing frame spares them reading
   * it.
   */
  private toEndpoints(
    publication: Publication,
    match: TopicMatch,
    remoteGroups: Map<EndpointId, string[]> | null,
    logs: MessageEntry['logs'],
    acknowledgement: Pending | null,
    from: ProducerNumber | null,
  ): void {
    if (match.endpoints.length === 0 && remoteGroups === null) return;
    const record = writeRecord(publication);
    const isKept = publication.qos > 0;
    // A will of QoS 0 is waited for as well: what its client publishes once it is back must not overtake it on another
    // connection.
    const isAwaited = !isKept && acknowledgement !== null;
    const live = isKept ? match.liveEndpoints : isAwaited ? match.endpoints : noEndpoints;
    const passing = isKept ? match.loggedEndpoints : isAwaited ? noEndpoints : match.endpoints;
    if (live.length === 0 && remoteGroups === null && this.parts.links.mayBroadcast(passing.length)) {
      if (isKept && logs.length === 0) return;
      this.parts.links.broadcast({ record, toSubscriptions: !isKept, groups: noGroups, logs });
      return;
    }
    const producer = from === null ? undefined : { ...from, isRepeated: false };
    for (const endpoint of live) {
      const groups = remoteGroups?.get(endpoint) ?? noGroups;
      const entry: MessageEntry = { record, toSubscriptions: true, groups, logs };
      if (producer !== undefined) entry.producer = producer;
      this.parts.links.send(endpoint, entry, acknowledgement);
    }
    for (const endpoint of passing) {
      const groups = remoteGroups?.get(endpoint) ?? noGroups;
      this.toOne(endpoint, { record, toSubscriptions: !isKept, groups, logs }, publication, acknowledgement);
    }
    if (remoteGroups === null) return;
    for (const [endpoint, groups] of remoteGroups) {
      if (match.endpoints.includes(endpoint)) continue;
      this.toOne(endpoint, { record, toSubscriptions: false, groups, logs: noLogs }, publication, acknowledgement);
    }
  }

  /** Sends to an endpoint without ephemeral subscribers of QoS above 0, but with members of groups. */
  private toOne(
    endpoint: EndpointId,
    entry: MessageEntry,
    { qos, publisher }: Publication,
    acknowledgement: Pending | null,
  ): void {
    const { links, delivery } = this.parts;
    if (qos > 0 && entry.groups.length > 0) {
      links.send(endpoint, entry, acknowledgement);
    } else if (qos === 0) {
      if (!links.pass(endpoint, entry, publisher)) delivery.metrics.dropped['link-lost']++;
    } else if (entry.logs.length > 0) {
      links.pass(endpoint, entry, publisher); // if it is dropped, the log has it
    }
  }

  /** Delivers the message to one member of each group; returns the groups for which other endpoints choose a member. */
  private toGroups(publication: Publication, groups: readonly SharedGroup[]): Map<EndpointId, string[]> | null {
    let remote: Map<EndpointId, string[]> | null = null;
    for (const group of groups) {
      const chosen = chooseMember(group, this.parts.limits.sharedStrategy, publication, this.parts.self);
      if (chosen === null) continue;
      if (typeof chosen === 'string') {
        remote ??= new Map();
        const names = remote.get(chosen);
        if (names === undefined) remote.set(chosen, [group.name]);
        else names.push(group.name);
      } else {
        this.parts.delivery.send(publication, chosen, chosen.retainAsPublished && publication.retain);
      }
    }
    return remote;
  }

  /** Delivers a message of a shared group to another member. False: there is none. */
  giveToOther(member: Subscription, publication: Publication): boolean {
    const share = parseShare(member.filter);
    const entry = share === null ? null : this.parts.tree.find(share.filter);
    const group = entry?.groups?.get(member.filter);
    return group !== undefined && this.redispatch(group, publication);
  }

  /** Delivers a message that a member of a group left unacknowledged to another. False: there is none. */
  redispatch(
    group: SharedGroup,
    publication: Publication,
    acknowledgement: Pending | null = null,
    hops: number | undefined = undefined,
  ): boolean {
    const remote = this.toGroups(publication, [group]);
    if (remote === null) return group.members.length > 0;
    for (const [endpoint, groups] of remote) {
      const entry = { record: writeRecord(publication), toSubscriptions: false, groups, logs: noLogs, hops };
      this.toOne(endpoint, entry, publication, acknowledgement);
    }
    return true;
  }

  /**
   * An endpoint has left with unacknowledged messages for groups: other members get them, and pending acknowledgements
   * wait for those. A message that the endpoint had already accepted is delivered twice.
   */
  rescue({ entries, waiting }: LostMessages): void {
    const { tree, delivery } = this.parts;
    const rescued = new PendingForOthers(waiting);
    for (const { record, groups } of entries) {
      const publication = readRecord(record);
      for (const name of groups) {
        const group = tree.find(matchedFilter(name))?.groups?.get(name);
        if (group === undefined || !this.redispatch(group, publication, rescued))
          delivery.metrics.dropped['link-lost']++;
      }
    }
    rescued.settle();
  }

  private isNew({ producer }: MessageEntry): boolean {
    if (producer === undefined) return true;
    return producer.isRepeated ? this.given.takesRepetition(producer) : this.given.takes(producer);
  }

  /** Delivers a publish from another endpoint to sessions here. */
  receive(entry: MessageEntry, publication: Publication): void {
    const { delivery, matches, tree, limits } = this.parts;
    const match = matches.find(publication.bytes, publication.topicStart, publication.topicEnd);
    if (entry.toSubscriptions) {
      if (publication.qos === 0) deliverQos0(delivery, publication, match.all);
      else if (match.live.length > 0 && this.isNew(entry)) deliverAcknowledged(delivery, publication, match.live);
    }
    for (const { filter, sequence } of entry.logs) tree.find(filter)?.log?.arrived(sequence, publication);
    const hops = (entry.hops ?? 0) + 1;
    for (const name of entry.groups) {
      const group = match.groupCalled(name);
      if (group === undefined) {
        delivery.metrics.dropped['no-subscriber']++; // the last member left while the frame was on its way
        continue;
      }
      const member = chooseLocal(group, limits.sharedStrategy, publication);
      if (member !== null) delivery.send(publication, member, member.retainAsPublished && publication.retain);
      else if (hops > hopsMax || !this.redispatch(group, publication, null, hops))
        delivery.metrics.dropped['no-subscriber']++;
    }
  }
}
