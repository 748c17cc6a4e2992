/** Parts of one worker's broker, put together. What it needs of the world comes through ports. */

import { isShared } from '@dunlin/protocol';
import { BrokerGuards } from './broker-guards.ts';
import type { BrokerOptions } from './broker-options.ts';
import { Cluster, type ClusterUpcalls } from './cluster/cluster.ts';
import { DeadEndpoints } from './cluster/dead-endpoints.ts';
import { writeGroupControl } from './cluster/group-control.ts';
import { Links } from './cluster/links.ts';
import { Routes } from './cluster/routes.ts';
import { ClientLog } from './connection/client-log.ts';
import { Connection, type ConnectionParts } from './connection/connection.ts';
import { KeepAlive } from './connection/keep-alive.ts';
import type { PacketHandlers } from './connection/packet-handlers.ts';
import { SubscribeQueue } from './connection/subscribe-queue.ts';
import { SubscriptionRights } from './connection/subscription-rights.ts';
import { keepWriteDeadlines } from './connection/write-deadlines.ts';
import { DelayedMessages } from './delivery/delayed.ts';
import { FatalMessages } from './delivery/fatal-messages.ts';
import { PublishBatch } from './delivery/publish-batch.ts';
import { PublishRouter } from './delivery/publish-router.ts';
import { RetainedMessages } from './delivery/retained.ts';
import { RightsAgain } from './delivery/rights-again.ts';
import { type DeliveryUpcalls, SessionDelivery } from './delivery/session-delivery.ts';
import { willPublication } from './delivery/will.ts';
import { GroupHousekeeping } from './groups/group-housekeeping.ts';
import { GroupLogs } from './groups/group-logs.ts';
import type { RateQuotas } from './guards/client-rates.ts';
import { LogRoom } from './guards/log-room.ts';
import { SubscriptionBudget } from './guards/subscription-budget.ts';
import { UnsignedClients } from './guards/unsigned-clients.ts';
import { PublishAcceptance } from './handlers/accept-publish.ts';
import { AuthHandler } from './handlers/auth.ts';
import { PublishAuthorization } from './handlers/authorize-publish.ts';
import { ConnectHandler } from './handlers/connect.ts';
import { DisconnectHandler } from './handlers/disconnect.ts';
import { PingreqHandler } from './handlers/pingreq.ts';
import { PubackHandler } from './handlers/puback.ts';
import { PubcompHandler } from './handlers/pubcomp.ts';
import { countUnreleased, PublishHandler } from './handlers/publish.ts';
import { PubrecHandler } from './handlers/pubrec.ts';
import { PubrelHandler } from './handlers/pubrel.ts';
import { SubscribeHandler } from './handlers/subscribe.ts';
import { UnsubscribeHandler } from './handlers/unsubscribe.ts';
import { Housekeeping } from './housekeeping.ts';
import { AppendQueue } from './logs/append-queue.ts';
import { DurableFilters, type GroupsWatcher } from './logs/durable-filters.ts';
import { LogEnds } from './logs/log-ends.ts';
import { makeFates, makeRates } from './make-rates.ts';
import { takeIdentity } from './message/publisher-mark.ts';
import { OutputFlusher } from './output/output-buffer.ts';
import type { EndpointId } from './ports/endpoint-id.ts';
import { events } from './ports/log-events.ts';
import type { Random } from './ports/random.ts';
import type { DurableLog } from './session/durable-log.ts';
import { SessionWriter } from './session/session-writer.ts';
import type { SharedGroup } from './subscriptions/shared-subscriptions.ts';
import { SubscriptionTree } from './subscriptions/subscription-tree.ts';
import { TopicMatches } from './subscriptions/topic-match.ts';
import { SysTopics } from './sys-topics.ts';
import { ContestedIdentifiers } from './takeover/contested-identifiers.ts';
import { GivenUpSessions } from './takeover/given-up-sessions.ts';
import { LateClaims } from './takeover/late-claims.ts';
import { Openings } from './takeover/openings.ts';
import type { SubscriptionParts } from './takeover/session-subscriptions.ts';
import { Sessions } from './takeover/sessions.ts';
import { WillsUnderWay } from './takeover/wills-under-way.ts';
import { WrittenSessions } from './takeover/written-sessions.ts';
import { LeaseState } from './work/lease-state.ts';
import { PendingWrites } from './work/pending-writes.ts';
import { RareWarnings } from './work/rare-warnings.ts';
import { StoreTrust } from './work/store-trust.ts';
import { TurnClock } from './work/turn-clock.ts';
import { TurnShare } from './work/turn-share.ts';

/**
 * Name by which the store knows this broker's appends from those of every other, the earlier ones of this endpoint
 * included: an endpoint without a backplane has the same name in each of its lives.
 */
function writerName(self: EndpointId, random: Random): string {
  return `${self}/${random.uuid()}`;
}

/** The parts, built from low to high: who is built earlier is given what it tells those above it as a function. */
export abstract class BrokerParts extends BrokerGuards {
  readonly clientLog: ClientLog;
  readonly warnings: RareWarnings;
  readonly contested: ContestedIdentifiers;
  readonly fatalMessages: FatalMessages;
  readonly tree = new SubscriptionTree({
    loggedMembersChanged: (group: SharedGroup) => this.groups.loggedMembersChanged(group),
  });
  readonly budget: SubscriptionBudget;
  readonly trust = new StoreTrust();
  readonly turn: TurnClock;
  readonly flusher: OutputFlusher;
  readonly keepAlive: KeepAlive;
  readonly rates: RateQuotas;
  readonly matches: TopicMatches;
  readonly writer: SessionWriter;
  readonly delivery: SessionDelivery;
  readonly publishBatch: PublishBatch;
  readonly appends: AppendQueue;
  readonly retained: RetainedMessages;
  readonly delayed: DelayedMessages;
  readonly durableFilters: DurableFilters;
  readonly logEnds: LogEnds;
  readonly links: Links;
  readonly routes: Routes;
  readonly router: PublishRouter;
  readonly groups: GroupLogs;
  readonly groupHousekeeping: GroupHousekeeping;
  readonly sessions: Sessions;
  readonly openings: Openings;
  readonly cluster: Cluster;
  readonly deadEndpoints: DeadEndpoints;
  readonly sysTopics: SysTopics;
  readonly pendingWrites: PendingWrites;
  protected readonly housekeeping: Housekeeping;
  /** Connections, and handshakes of listeners, before CONNACK. */
  readonly unsigned = new UnsignedClients(this.limits, this.clock);
  private readonly unreleased = countUnreleased(this.limits, this.clock);
  private readonly logRoom = new LogRoom(this.limits);
  readonly rights: SubscriptionRights;
  readonly authorization: PublishAuthorization;
  private readonly acceptance: PublishAcceptance;
  private readonly rightsAgain: RightsAgain;
  protected readonly connectionParts: ConnectionParts;
  protected readonly lease = new LeaseState();
  /** Sessions that were given up with the lease: their claims are still in the store, in this worker's name. */
  protected readonly givenUp: GivenUpSessions;
  /** Publishes a will; resolves when it is safe. */
  private readonly publishWill = async (record: Uint8Array): Promise<void> => {
    const publication = willPublication(record, this.turn.renew());
    const answer = this.rightsAgain.mayPublish(takeIdentity(publication), publication, events['will.denied']);
    if (answer !== true && !(await answer)) return;
    this.metrics.willsPublished++;
    await this.router.publish(publication);
  };

  constructor(options: BrokerOptions) {
    super(options);
    const { self, store, clock, logger, metrics, limits, backplane, tracer, random } = this;
    const { connections, lease, tree, trust } = this;
    this.turn = new TurnClock(clock);
    this.budget = new SubscriptionBudget(limits, options.subscriptionCounts);
    this.warnings = new RareWarnings(clock, logger);
    this.rightsAgain = new RightsAgain(this.authorizer, metrics, this.warnings);
    this.contested = new ContestedIdentifiers(clock, this.warnings, metrics);
    this.flusher = new OutputFlusher(clock, metrics);
    this.keepAlive = new KeepAlive(clock);
    this.clientLog = new ClientLog(options, this.keepAlive);
    this.rates = makeRates(options, limits, this.turn);
    this.matches = new TopicMatches(
      tree,
      limits.matchCacheMax,
      limits.topicLevelsMax,
      options.seed ?? Math.floor(random.number() * 0x7fffffff),
      this.rules,
    );
    this.pendingWrites = new PendingWrites(clock, logger, metrics);
    this.writer = new SessionWriter({ sessionStore: store.sessions, clock, logger, metrics });
    this.delivery = new SessionDelivery({
      ...{ logStore: store.logs, clock, logger, metrics, limits, writer: this.writer, tracer, turn: this.turn },
      ...{ memory: this.memory, fates: makeFates(this), upcalls: this.deliveryUpcalls() },
    });
    this.fatalMessages = new FatalMessages(logger, metrics, this.delivery.resending);
    this.appends = new AppendQueue({
      ...{ logStore: store.logs, writer: writerName(self, random), clock, logger, metrics, trust, turn: this.turn },
    });
    const { warnings } = this;
    this.retained = new RetainedMessages({
      ...{ store: store.retained, delivery: this.delivery, clock, logger, warnings, limits },
    });
    const wentBack = (log: DurableLog, end: number): void => this.givenUp.storeWentBack(log, end, false);
    this.durableFilters = new DurableFilters({ store, tree, clock, watcher: this.groupsWatcher(), wentBack });
    this.logEnds = new LogEnds({ logStore: store.logs, followed: this.durableFilters.followed, metrics, wentBack });
    const sendBytes = (to: EndpointId | null, bytes: Uint8Array): void =>
      to === null ? backplane?.broadcast(bytes) : backplane?.send(to, bytes);
    this.links = new Links({ clock, metrics, bytesMax: limits.linkBytesMax, sendBytes });
    this.publishBatch = new PublishBatch(this.delivery, this.links);
    this.routes = this.makeRoutes(sendBytes);
    const isMember = (endpoint: EndpointId): boolean => this.cluster.has(endpoint);
    this.deadEndpoints = new DeadEndpoints({
      ...{ leases: options.leases ?? null, sessionStore: store.sessions, clock, logger, self, isMember },
    });
    this.cluster = this.makeCluster();
    const { delivery, appends, retained, durableFilters, links, matches, logRoom } = this;
    this.router = new PublishRouter({
      ...{ delivery, appends, links, retained, durableFilters, matches, tree, limits, self, trust, warnings, logRoom },
    });
    this.delayed = this.makeDelayed();
    this.groups = this.makeGroups();
    const ownership = this.makeOwnership();
    this.sessions = ownership.sessions;
    this.openings = ownership.openings;
    const { sessions, cluster, pendingWrites } = this;
    this.givenUp = new GivenUpSessions({
      ...{ store, clock, logger, metrics, lease, trust, connections, sessions, appends, durableFilters, pendingWrites },
    });
    this.sysTopics = new SysTopics({
      ...{ self, version: options.version, clock, metrics, sessions, cluster, matches, delivery },
    });
    this.groupHousekeeping = new GroupHousekeeping({ store, clock, metrics, limits, groups: this.groups });
    this.housekeeping = this.makeHousekeeping();
    const queue = new SubscribeQueue({ logger, metrics });
    this.rights = this.makeRights(queue);
    this.acceptance = new PublishAcceptance({ router: this.router, metrics, trust });
    this.authorization = this.makeAuthorization();
    this.connectionParts = this.makeConnectionParts(this.makeHandlers(queue));
  }

  private deliveryUpcalls(): DeliveryUpcalls {
    return {
      groupRoomCame: (session) => this.groups.roomCame(session),
      storeWentBack: (log, end, unharmed) => {
        // It was opened from what the store has, and is the only one here: nobody has to start over.
        const isAlone = unharmed !== null && log.readers.length === 1;
        this.givenUp.storeWentBack(log, end, isAlone);
      },
    };
  }

  private clusterUpcalls(): ClusterUpcalls {
    return {
      messagesBegin: () => void this.turn.renew(),
      publishBatch: (batch) => this.publishBatch.receive(batch, this.matches),
      message: (entry, publication) => this.router.receive(entry, publication),
      lost: (messages) => this.router.rescue(messages),
      group: (from, frame) => this.groups.received(from, frame),
      groupEndpointLeft: (endpoint) => this.groups.endpointLeft(endpoint),
      retainedIdle: () => this.retained.idle(),
      handTo: (clientId, cleanStart, epoch, user) => this.openings.handTo(clientId, cleanStart, epoch, user),
    };
  }

  private makeRoutes(send: (to: EndpointId | null, bytes: Uint8Array) => void): Routes {
    const { tree, clock, logger, metrics, limits, links, durableFilters } = this;
    return new Routes({
      ...{ tree, clock, logger, metrics, send },
      confirmMilliseconds: limits.routeConfirmMilliseconds,
      changing: () => links.flushMessages(),
      durableAnnounced: (filter, lastSequence) => {
        if (isShared(filter)) durableFilters.addGroup(filter);
        else durableFilters.add(filter, lastSequence);
      },
      durableDigest: () => durableFilters.digest,
      durableCompared: (endpoint, theirs) => durableFilters.compared(endpoint, theirs),
    });
  }

  private makeCluster(): Cluster {
    const { self, backplane, clock, logger, links, routes, durableFilters, logEnds, deadEndpoints } = this;
    return new Cluster({
      ...{ self, backplane, clock, logger, links, routes, durableFilters, logEnds, deadEndpoints },
      metrics: this.metrics,
      upcalls: this.clusterUpcalls(),
    });
  }

  private makeGroups(): GroupLogs {
    const { self, store, clock, logger, metrics, limits, delivery, writer, tree, durableFilters, router } = this;
    const { links, pendingWrites, cluster, routes } = this;
    return new GroupLogs({
      ...{ self, store, clock, logger, metrics, limits, delivery, writer, tree, durableFilters, router },
      sendTo: (to, frame) => links.sendGroup(to, writeGroupControl(frame)),
      writeBack: (write) => pendingWrites.add(events['group-cursor.write-back-failed'], write),
      isThere: (endpoint) => cluster.has(endpoint),
      sessionOf: (clientId) => this.sessions.get(clientId),
      filterChanged: (filter) => {
        const entry = tree.find(filter);
        if (entry !== null) routes.filterChanged(entry);
      },
      routesConfirmed: () => routes.confirmed(),
    });
  }

  /** Makes the parts that own client identifiers. */
  private makeOwnership(): { sessions: Sessions; openings: Openings } {
    const { self, store, clock, logger, metrics, limits, lease, trust, cluster, tree, routes, durableFilters } = this;
    const { groups, router, delivery, writer, pendingWrites, contested, fatalMessages, publishWill } = this;
    const { isOwnersOnly } = this;
    const inForce = {
      ...{ self, store, clock, metrics, cluster, tree, routes, durableFilters, groups, router, delivery },
      ...{ pendingWrites, budget: this.budget, isClustered: this.backplane !== null },
      lateClaims: new LateClaims({ self, store, clock, logger, metrics, cluster, pendingWrites, isOwnersOnly }),
      wills: new WillsUnderWay({ clock, logger, pendingWrites, metrics, publishWill }),
      written: new WrittenSessions(clock),
    };
    const sessions = new Sessions({ ...inForce, limits, writer, fatalMessages });
    return {
      sessions,
      openings: new Openings({ ...inForce, limits, isOwnersOnly, lease, trust, contested, sessions }),
    };
  }

  private get subscriptions(): SubscriptionParts {
    const { store, metrics, tree, routes, durableFilters, delivery, groups, pendingWrites, budget } = this;
    return { store, metrics, tree, routes, durableFilters, delivery, groups, pendingWrites, budget };
  }

  private makeRights(queue: SubscribeQueue): SubscriptionRights {
    const { clock, logger, authorizer, subscriptions, rules, delivery } = this;
    return new SubscriptionRights({ clock, logger, authorizer, subscriptions, queue, rules, delivery });
  }

  private makeAuthorization(): PublishAuthorization {
    const { limits, metrics, clientLog, authorizer, deniedPublish, matches, delayed, trust, acceptance, delivery } =
      this;
    return new PublishAuthorization({
      ...{ limits, metrics, clientLog, authorizer, deniedPublish, matches, delayed, trust, acceptance, delivery },
    });
  }

  private makeHandlers(queue: SubscribeQueue): PacketHandlers {
    const { self, store, clock, logger, metrics, limits, random, tracer, turn, tree, trust, matches, publishBatch } =
      this;
    const { authenticator, authorizer, deniedWill, clientLog, warnings, keepAlive, contested } = this;
    const { bans, failedSignIns, clientIds, isOwnersOnly } = this;
    const { routes, retained, sysTopics, sessions, pendingWrites, delivery, writer, rights } = this;
    const { subscriptions, openings, unreleased, acceptance, authorization } = this;
    return {
      connect: new ConnectHandler({
        ...{ limits, metrics, random, keepAlive, clientLog, bans, failedSignIns, warnings, authenticator, authorizer },
        ...{ clientIds, deniedWill, contested, openings, delivery, rights },
        ...{ newcomers: this.newcomers, memory: this.memory, groupStore: store.groups },
      }),
      auth: new AuthHandler({ logger, authenticator, metrics, clientLog, bans, rights, isOwnersOnly }),
      publish: new PublishHandler({
        ...{ clock, limits, metrics, tracer, authorizer, turn, tree, matches, publishBatch, writer, warnings },
        ...{ acceptance, authorization, unreleased },
      }),
      puback: new PubackHandler({ writer, delivery }),
      pubrec: new PubrecHandler({ writer, delivery }),
      pubrel: new PubrelHandler({ writer, unreleased }),
      pubcomp: new PubcompHandler({ writer, delivery }),
      pingreq: new PingreqHandler({ metrics }),
      subscribe: new SubscribeHandler({
        ...{ store, clock, logger, metrics, limits, clientLog, authorizer, trust, routes, retained, sysTopics },
        ...{ memory: this.memory, subscriptions, queue },
      }),
      unsubscribe: new UnsubscribeHandler({ writer, clock, limits, subscriptions, queue }),
      disconnect: new DisconnectHandler({ self, willStore: store.wills, sessions, pendingWrites }),
    };
  }

  private makeConnectionParts(handlers: PacketHandlers): ConnectionParts {
    const { flusher, metrics, clock, turn, trust, logger, limits, keepAlive, rates, clientLog, httpUrl, publishBatch } =
      this;
    const { unreleased, connections, sessions, delivery } = this;
    keepWriteDeadlines({ flusher, clock, limits, clientLog });
    return {
      ...{ flusher, memory: this.memory, rules: this.rules, metrics, clock, turn, trust, logger, limits },
      ...{ keepAlive, rates, clientLog, httpUrl, publishBatch, handlers },
      turnShare: new TurnShare(),
      compareWithRules: ({ owner }) => owner instanceof Connection && this.rights.round.compareNow(owner),
      inboundRefused: (outlet, packetId) => {
        const session = sessions.get(outlet.clientId);
        if (session?.outlet === outlet) this.writer.refuseInbound(session, packetId);
      },
      owner: {
        closed: (connection) => {
          connections.delete(connection);
          unreleased.forget(connection);
          metrics.connectionsClosed++;
          if (connection.session !== null) sessions.close(connection.session);
        },
        fenced: (session) => sessions.fenced(session),
        drained: ({ session }) => {
          // Before, other messages come first: those that were in flight before a reconnect.
          if (session === null || session.hasEnded || !session.groupsSettled) return;
          turn.renew();
          delivery.roomCame(session);
        },
      },
    };
  }

  private groupsWatcher(): GroupsWatcher {
    return {
      groupAdded: (group) => this.groups.groupAdded(group),
      groupRemoved: (group) => this.groups.groupRemoved(group),
    };
  }

  private makeDelayed(): DelayedMessages {
    const { store, router, clock, logger, metrics, warnings, limits, rightsAgain: rights } = this;
    return new DelayedMessages({ store: store.delayed, router, clock, logger, metrics, warnings, limits, rights });
  }

  private makeHousekeeping(): Housekeeping {
    const { store, clock, logger, metrics, limits, cluster, sysTopics, durableFilters, logEnds, logRoom } = this;
    const { deadEndpoints, groupHousekeeping, delayed, publishWill } = this;
    return new Housekeeping({
      ...{ store, clock, logger, metrics, limits, cluster, sysTopics, durableFilters, logEnds, logRoom },
      ...{ deadEndpoints, groupHousekeeping, delayed, publishWill },
      isClustered: this.backplane !== null,
    });
  }
}
