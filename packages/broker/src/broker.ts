/**
 * One worker's broker: everything that the connections of a worker share, put together. What it needs of the world comes through ports.
 */

import { isShared, parseShare, ReasonCode } from '@dunlin/protocol';
import { AppendQueue } from './append-queue.ts';
import type { BrokerOptions } from './broker-options.ts';
import { ClientLog } from './client-log.ts';
import { Burials } from './cluster/burials.ts';
import { Cluster } from './cluster/cluster.ts';
import { writeGroupFrame } from './cluster/group-frames.ts';
import { Links } from './cluster/links.ts';
import { Routes } from './cluster/routes.ts';
import { Connection } from './connection.ts';
import { ConnectionState } from './connection-state.ts';
import { ContestedIdentifiers } from './contested-identifiers.ts';
import { DelayedMessages } from './delayed.ts';
import { Drain, type DrainOptions } from './drain.ts';
import { DurableFilters } from './durable-filters.ts';
import type { DurableLog } from './durable-log.ts';
import { Duties } from './duties.ts';
import { FatalMessages } from './fatal-messages.ts';
import { GivenUpSessions } from './given-up-sessions.ts';
import { GroupDuties } from './group-duties.ts';
import { GroupLogs } from './group-logs.ts';
import { KeepAlive } from './keep-alive.ts';
import type { Limits } from './limits.ts';
import { LogEnds } from './log-ends.ts';
import { OutboxFlusher } from './outbox.ts';
import { PendingWrites } from './pending-writes.ts';
import type { Authenticator } from './ports/authenticator.ts';
import type { Authorizer } from './ports/authorizer.ts';
import type { Backplane } from './ports/backplane.ts';
import type { Clock } from './ports/clock.ts';
import type { Logger } from './ports/logger.ts';
import type { Metrics } from './ports/metrics.ts';
import { type Random, systemRandom } from './ports/random.ts';
import type { EndpointId, Store } from './ports/store.ts';
import type { Tracer } from './ports/tracer.ts';
import type { Transport } from './ports/transport.ts';
import type { Publication } from './publication.ts';
import { PublishRouter } from './publish-router.ts';
import { PublishRun } from './publish-run.ts';
import { RareWarnings } from './rare-warnings.ts';
import { RetainedMessages } from './retained.ts';
import { SessionDelivery } from './session-delivery.ts';
import { SessionWriter } from './session-writer.ts';
import { Sessions } from './sessions.ts';
import { StoreTrust } from './store-trust.ts';
import type { Subscription } from './subscription.ts';
import { checkSubscriptions } from './subscription-rights.ts';
import { SubscriptionTree } from './subscription-tree.ts';
import { SysTopics } from './sys-topics.ts';
import { TopicMatches } from './topic-match.ts';
import { untilAvailable } from './until-available.ts';
import { willPublication } from './will.ts';

/** What a stop waits at most for messages and sessions that the store has not confirmed: the whole of it is to take 4 s. */
const flushMilliseconds = 2000;

/** Sessions whose subscriptions are compared with new rules in one turn of the event loop: some milliseconds of work. */
const sessionsCheckedAtOnce = 200;

/**
 * How the store knows this broker's appends from those of every other, the earlier ones of this endpoint included: an endpoint without a backplane has the
 * same name in each of its lives.
 */
function writerName(self: EndpointId, random: Random): string {
  return `${self}/${random.uuid()}`;
}

export class Broker {
  readonly self: EndpointId;
  readonly version: string;
  readonly store: Store;
  readonly backplane: Backplane | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly clientLog: ClientLog;
  readonly warnings: RareWarnings;
  readonly contested: ContestedIdentifiers;
  readonly fatalMessages: FatalMessages;
  readonly metrics: Metrics;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer | null;
  readonly deniedPublish: 'drop' | 'disconnect';
  readonly deniedWill: 'drop' | 'refuse';
  readonly limits: Limits;
  readonly httpUrl: string;
  readonly tracer: Tracer | null;
  readonly tree = new SubscriptionTree();
  readonly trust = new StoreTrust();
  readonly flusher: OutboxFlusher;
  readonly keepAlive: KeepAlive;
  readonly matches: TopicMatches;
  readonly writer: SessionWriter;
  readonly delivery: SessionDelivery;
  readonly run: PublishRun;
  readonly appends: AppendQueue;
  readonly retained: RetainedMessages;
  readonly delayed: DelayedMessages;
  readonly durableFilters: DurableFilters;
  readonly logEnds: LogEnds;
  readonly links: Links;
  readonly routes: Routes;
  readonly router: PublishRouter;
  readonly groups: GroupLogs;
  readonly groupDuties: GroupDuties;
  readonly sessions: Sessions;
  readonly cluster: Cluster;
  readonly burials: Burials;
  readonly sysTopics: SysTopics;
  readonly pendingWrites: PendingWrites;
  private readonly duties: Duties;
  readonly connections = new Set<Connection>();
  private stopping = false;
  private draining: Drain | null = null;
  /** False: this worker does not know whether others hold it for dead; durable sessions are refused. */
  hasLease = true;
  /** Sessions that were given up with the lease: their claims are still in the store, in this worker's name. */
  private readonly givenUp = new GivenUpSessions(this);

  constructor(options: BrokerOptions) {
    const { store, clock, logger, metrics, limits, backplane } = options;
    this.self = backplane?.self ?? `${options.nodeId}/0#0`;
    this.version = options.version;
    this.store = store;
    this.backplane = backplane;
    this.clock = clock;
    this.logger = logger;
    this.warnings = new RareWarnings(clock, logger);
    this.contested = new ContestedIdentifiers(clock, this.warnings, metrics);
    this.metrics = metrics;
    this.limits = limits;
    this.tracer = options.tracer ?? null;
    this.authenticator = options.authenticator;
    this.authorizer = options.authorizer;
    this.deniedPublish = options.deniedPublish ?? 'drop';
    this.deniedWill = options.deniedWill ?? 'refuse';
    this.flusher = new OutboxFlusher(clock, metrics);
    this.keepAlive = new KeepAlive(clock);
    this.clientLog = new ClientLog(options, this.keepAlive);
    this.httpUrl = options.httpUrl ?? '';
    this.random = options.random ?? systemRandom;
    const seed = options.seed ?? Math.floor(this.random.number() * 0x7fffffff);
    this.matches = new TopicMatches(this.tree, limits.matchCacheMax, limits.topicLevelsMax, seed);
    this.pendingWrites = new PendingWrites(clock, logger, metrics);
    this.writer = new SessionWriter(store, clock, logger, metrics);
    this.delivery = new SessionDelivery(store, this.writer, clock, logger, metrics, limits);
    this.fatalMessages = new FatalMessages(logger, metrics, this.delivery);
    this.delivery.tracer = this.tracer;
    this.appends = new AppendQueue(store, writerName(this.self, this.random), this, this.delivery);
    this.retained = new RetainedMessages(store, this.delivery, clock, logger);
    this.durableFilters = new DurableFilters(store, this.tree, clock);
    this.logEnds = new LogEnds(store, this.durableFilters.followed, metrics);
    this.hearOfSetbacks();
    const send = (to: EndpointId | null, bytes: Uint8Array): void =>
      to === null ? backplane?.broadcast(bytes) : backplane?.send(to, bytes);
    this.links = new Links(clock, metrics, limits.linkBytesMax, send);
    this.run = new PublishRun(this.delivery, this.links);
    this.routes = new Routes({
      tree: this.tree,
      clock,
      logger,
      metrics,
      confirmMilliseconds: limits.routeConfirmMilliseconds,
      send,
      changing: () => this.links.flushMessages(),
      durableAnnounced: (filter, lastSequence) => {
        if (isShared(filter)) this.durableFilters.addGroup(filter);
        else this.durableFilters.add(filter, lastSequence);
      },
      durableDigest: () => this.durableFilters.digest,
      durableCompared: (endpoint, theirs) => this.durableFilters.compared(endpoint, theirs),
    });
    this.router = new PublishRouter(this);
    this.delayed = new DelayedMessages(store, this.router, clock, logger, metrics);
    this.groups = this.makeGroups();
    this.durableFilters.watcher = this.groups;
    this.delivery.groupRoomCame = (session) => this.groups.roomCame(session);
    this.groupDuties = new GroupDuties(this);
    this.sessions = new Sessions(this);
    this.cluster = new Cluster(this);
    const isMember = (endpoint: EndpointId): boolean => this.cluster.has(endpoint);
    this.burials = new Burials({ leases: options.leases ?? null, store, clock, logger, self: this.self, isMember });
    this.sysTopics = new SysTopics(this);
    this.duties = new Duties(this);
  }

  /** The store has less of a log than it had: told by whoever notices it first. */
  private hearOfSetbacks(): void {
    const wentBack = (log: DurableLog, end: number): void => this.givenUp.storeWentBack(log, end, false);
    this.logEnds.wentBack = wentBack;
    this.durableFilters.wentBack = wentBack;
    this.delivery.storeWentBack = (log, end, unharmed) => {
      // It was opened from what the store has, and is the only one here: nobody has to start over.
      const isAlone = unharmed !== null && log.readers.length === 1;
      this.givenUp.storeWentBack(log, end, isAlone);
    };
  }

  private makeGroups(): GroupLogs {
    const { self, store, clock, logger, metrics, limits, delivery, writer, tree, durableFilters, router } = this;
    return new GroupLogs({
      ...{ self, store, clock, logger, metrics, limits, delivery, writer, tree, durableFilters, router },
      sendTo: (to, frame) => this.links.sendGroup(to, writeGroupFrame(frame)),
      writeBack: (write) => this.pendingWrites.add('writing back how far a group was served', write),
      isThere: (endpoint) => this.cluster.has(endpoint),
      sessionOf: (clientId) => this.sessions.get(clientId),
      filterChanged: (filter) => {
        const entry = this.tree.find(filter);
        if (entry !== null) this.routes.filterChanged(entry);
      },
      routesConfirmed: () => this.routes.confirmed(),
    });
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  /** Renews the gauges among the metrics. */
  observe(): void {
    const { metrics, links } = this;
    metrics.sessions = this.sessions.count;
    metrics.subscriptions = metrics.subscriptionsAdded - metrics.subscriptionsRemoved;
    metrics.routes = this.routes.ownCount;
    metrics.durableFilters = this.durableFilters.size;
    metrics.endpoints = this.cluster.others;
    metrics.linksFull = links.fullCount;
    metrics.linkBytes = links.unacknowledgedBytes;
    metrics.appendsWaiting = this.appends.length;
    metrics.writesWaiting = this.pendingWrites.length;
  }

  /** Loads what is durable and joins the other workers. Only then may connections be accepted. */
  async start(): Promise<void> {
    // Found before, the store may be gone again, and refuse to be read.
    const load = (): Promise<void> =>
      untilAvailable(
        this.clock,
        () => this.durableFilters.load(),
        (error) => this.logger.warn('what is durable could not be loaded; it is tried again', { error }),
      );
    await Promise.all([load(), this.backplane?.start(this.cluster)]);
    if (this.backplane !== null) {
      await this.routes.snapshotsReceived();
      // What became durable between loading and joining was not announced to us.
      await load();
    }
    this.duties.start();
  }

  /** A new connection. Its transport gives what it receives to the returned object. */
  accept(transport: Transport): Connection {
    const connection = new Connection(this, transport);
    this.connections.add(connection);
    this.metrics.connectionsOpened++;
    this.metrics.listener(transport.listener).opened++;
    const isLeaving = this.stopping || this.draining !== null;
    if (isLeaving || this.connections.size > this.limits.connectionsMax) {
      connection.closeReason = isLeaving ? 'server-shutting-down' : 'connections-max';
      const full = `limits.connectionsMax is reached: ${this.limits.connectionsMax}`;
      this.clientLog.refusedTo(connection, 'connection refused', { reason: isLeaving ? 'the node is leaving' : full });
      connection.end();
    }
    return connection;
  }

  /** Called by the connection, once. */
  connectionClosed(connection: Connection): void {
    this.connections.delete(connection);
    this.metrics.connectionsClosed++;
    if (connection.session !== null) this.sessions.close(connection.session);
  }

  /** The authorizer's answers have changed: nothing that it said before counts, and subscriptions that it does not allow any more are removed. */
  rulesChanged(): void {
    for (const connection of this.connections) connection.allowedMatch = null;
    const sessions = [...this.sessions.all()];
    const next = (): void => {
      for (const session of sessions.splice(0, sessionsCheckedAtOnce))
        if (!session.ended) void checkSubscriptions(session.connection, session);
      if (sessions.length > 0) this.clock.nextTurn(next);
    };
    next();
  }

  /** Publishes a will; resolves when it is safe. */
  async publishWill(record: Uint8Array): Promise<void> {
    this.metrics.willsPublished++;
    this.delivery.now = this.clock.now();
    await this.router.publish(willPublication(record, this.delivery.now));
  }

  /** Gives a message of a shared group to another member. False: there is none. */
  redispatch(member: Subscription, publication: Publication): boolean {
    const share = parseShare(member.filter);
    const entry = share === null ? null : this.tree.find(share.filter);
    const group = entry?.groups?.get(member.filter);
    return group !== undefined && this.router.redispatch(group, publication);
  }

  /**
   * This worker's lease has run out: others may own its durable sessions already, and publish their wills. It ends their connections and writes nothing;
   * ephemeral clients are served on (ARCHITECTURE.md, section 9). Returns how many there were.
   */
  giveUpDurableSessions(): number {
    this.hasLease = false;
    return this.givenUp.giveUpDurable();
  }

  /** A connection to the store is lost: it may come back with less. What was stored before is acknowledged when it is known to be there (store-trust.ts). */
  storeLost(): void {
    this.trust.lost();
  }

  /** The store can be reached again: it may be another one, or an older one, of which `storeSetBack` has told. */
  storeReturned(): void {
    this.trust.returned();
    for (const connection of this.connections) connection.acknowledgements?.flush();
    this.durableFilters.markStale();
    this.logEnds.wantRound();
  }

  /** The store has less than it had confirmed here; `what`: what is missing. Called before anything is written to it again. */
  storeSetBack(what: string): void {
    this.givenUp.storeSetBack(what);
  }

  /** This worker lives after all, and nobody has taken what it owned: sessions that were given up end as for any lost connection, unless they have moved. */
  leaseRegained(): void {
    this.hasLease = true;
    this.givenUp.release();
  }

  /** Others hold this worker for dead, and release what it owned: every session ends here without a word to the store. */
  giveUpAllSessions(): void {
    this.givenUp.giveUpAll();
    for (const connection of [...this.connections]) connection.end();
  }

  /**
   * Sends all clients away at a pace; new ones are not taken. Everything else goes on until `stop`. Resolves when no client is left, or at `stop`. Done twice, it
   * is done once. `random` is for tests.
   */
  drain(options: DrainOptions, random: () => number = () => this.random.number()): Promise<void> {
    this.draining ??= new Drain(this, [...this.connections], options, random);
    return this.draining.done;
  }

  /** Disconnects all clients, writes their sessions back, leaves the others. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.draining?.stop();
    this.duties.stop();
    for (const connection of [...this.connections]) {
      if (connection.state === ConnectionState.connected) connection.disconnect(ReasonCode.serverShuttingDown);
      else {
        connection.closeReason = 'server-shutting-down';
        connection.end();
      }
    }
    this.clientLog.end();
    await this.withinFlushTime(this.flushed());
    this.links.flushMessages();
    await this.backplane?.stop();
  }

  private async flushed(): Promise<void> {
    this.groups.stop();
    await this.appends.idle();
    await this.retained.idle();
    await this.pendingWrites.idle();
  }

  /** A store that is away must not keep the worker: what was acknowledged is safe already. */
  private async withinFlushTime(flushed: Promise<void>): Promise<void> {
    let cancel = (): void => {};
    const late = new Promise<'late'>((resolve) => {
      cancel = this.clock.every(flushMilliseconds, () => resolve('late'));
    });
    if ((await Promise.race([flushed, late])) === 'late')
      this.logger.warn('the store does not take what is left in time; it is not waited for any more');
    cancel();
  }
}
