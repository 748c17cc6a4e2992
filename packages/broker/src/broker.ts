/** Broker of one worker: what is done with all of it. It is put together in broker-parts.ts. */
import { ReasonCode } from '@dunlin/protocol';
import type { BrokerOptions } from './broker-options.ts';
import { BrokerParts } from './broker-parts.ts';
import { recordBanAdded, recordBanRemoved } from './connection/ban-records.ts';
import { ClientEvents } from './connection/client-events.ts';
import { Connection } from './connection/connection.ts';
import { enterUnsigned } from './connection/send-refusal.ts';
import { Drain } from './drain.ts';
import { makeQueries } from './make-queries.ts';
import { shedMemory } from './memory-shedding.ts';
import { ConnectionState } from './output/connection-state.ts';
import type { Ban } from './ports/ban-store.ts';
import type { Asked, QueryAnswer } from './ports/client-record.ts';
import type { DrainOptions } from './ports/drain-options.ts';
import { events } from './ports/log-events.ts';
import type { Transport } from './ports/transport.ts';
import type { Queries } from './queries/queries.ts';
import { untilAvailable } from './work/until-available.ts';
import { withinBound } from './work/within-bound.ts';

/**
 * Longest wait of a stop for messages and sessions that the store has not confirmed: the whole of it is to take 4 s.
 */
const flushMilliseconds = 2000;

export class Broker extends BrokerParts {
  private stopping = false;
  private draining: Drain | null = null;
  /** Part of the clients that is being sent to other nodes; null: none. */
  private leaving: Drain | null = null;
  /** True: an operator wants no new connections here. */
  isCordoned = false;
  /** Questions of operators to this worker. */
  readonly queries: Queries;

  constructor(options: BrokerOptions) {
    super(options);
    const { self, clock, matches, router } = this;
    const node = self.slice(0, self.lastIndexOf('/'));
    this.clientLog.events = new ClientEvents({ node, clock, matches, router });
    this.queries = makeQueries(this);
    this.cluster.answer = (body) => this.queries.answer(body);
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
        (error) => this.logger.warn(events['durable-filters.load-failed'], { error }),
      );
    const loadBans = (): Promise<void> =>
      untilAvailable(
        this.clock,
        () => this.bans.read(),
        (error) => this.logger.warn(events['bans.read-failed'], { error }),
      );
    await Promise.all([load(), loadBans(), this.backplane?.start(this.cluster)]);
    if (this.backplane !== null) {
      await this.routes.snapshotsReceived();
      // What became durable between loading and joining was not announced to us.
      await load();
    }
    this.bans.start();
    this.housekeeping.start();
  }

  /** A new connection. Its transport gives what it receives to the returned object. */
  accept(transport: Transport): Connection {
    const connection = new Connection(this.connectionParts, transport);
    this.connections.add(connection);
    this.metrics.connectionsOpened++;
    this.metrics.listener(transport.listener).opened++;
    const isLeaving = this.isCordoned || this.stopping || this.draining !== null;
    if (isLeaving || this.connections.size > this.limits.connectionsMax) {
      connection.closeReason = isLeaving ? 'server-shutting-down' : 'connections-max';
      const full = `limits.connectionsMax is reached: ${this.limits.connectionsMax}`;
      this.clientLog.refusedTo(connection, events['connection.refused'], {
        reason: isLeaving ? this.leavingReason : full,
      });
      connection.end();
    } else enterUnsigned(connection, this.unsigned);
    return connection;
  }

  /** Puts a question of an operator to this worker and, as `asked` says, to others. */
  query(asked: Asked, body: string, milliseconds: number): Promise<QueryAnswer[]> {
    const { self, cluster } = this;
    const isAsked = asked.who !== 'node' || self.startsWith(`${asked.node}/`);
    const own = (): Promise<QueryAnswer> =>
      this.queries.answer(body).then((answer) => ({ endpoint: self, body: answer }));
    const others = asked.who === 'one' ? [] : cluster.endpointsOf(asked.who === 'node' ? asked.node : null);
    return Promise.all([...(isAsked ? [own()] : []), ...others.map((each) => cluster.query(each, body, milliseconds))]);
  }

  /** Gives up so many bytes that wait for clients, the largest first, where memory of the node is scarce. */
  shedMemory(bytes: number): void {
    shedMemory(this, bytes);
  }

  /**
   * The authorizer's answers have changed: nothing that it said before counts, subscriptions that it does not allow any
   * more are suspended, and those that it allows again go on.
   */
  rulesChanged(): void {
    // Connections remember topics that they may publish to.
    this.matches.forget();
    this.tree.touch();
    this.rights.round.begin(this.connections);
  }

  /** One worker of the cluster records them for all. */
  protected override bansChanged(added: readonly Ban[], removed: readonly Ban[]): void {
    const { banAudit } = this;
    if (banAudit === null || !this.cluster.isLeader) return;
    for (const ban of added) recordBanAdded(banAudit, ban);
    for (const ban of removed) recordBanRemoved(banAudit, ban);
  }

  /** Ends the connections at this listener whose client certificate has been withdrawn. */
  certificatesRevoked(listener: string, revoked: ReadonlySet<string>): void {
    for (const connection of [...this.connections]) {
      const { transport } = connection;
      const name = transport.clientCertificate?.revocationName ?? '';
      if (name !== '' && transport.listener === listener && revoked.has(name))
        connection.signInWithdrawn('the client certificate was withdrawn by its authority');
    }
  }

  /**
   * This worker's lease has run out: others may own its durable sessions already, and publish their wills. It ends their connections and writes nothing;
   * ephemeral clients are served on (ARCHITECTURE.md, section 9). Returns how many there were.
   */
  giveUpDurableSessions(): number {
    this.lease.isHeld = false;
    return this.givenUp.giveUpDurable();
  }

  /** A connection to the store is lost: it may come back with less. What was stored before is acknowledged when it is known to be there (store-trust.ts). */
  storeLost(): void {
    this.trust.lost();
  }

  /** The store can be reached again: it may be another one, or an older one, of which `storeSetBack` has told. */
  storeReturned(): void {
    this.trust.returned();
    for (const connection of this.connections) connection.outlet.acknowledgements?.flush();
    this.durableFilters.markStale();
    this.bans.storeReturned();
    this.logEnds.wantRound();
  }

  /** The store has less than it had confirmed here; `what`: what is missing. Called before anything is written to it again. */
  storeSetBack(what: string): void {
    this.givenUp.storeSetBack(what);
  }

  /** This worker lives after all, and nobody has taken what it owned: sessions that were given up end as for any lost connection, unless they have moved. */
  leaseRegained(): void {
    this.lease.isHeld = true;
    this.givenUp.release();
  }

  /**
   * Ends every session here without a call to the store: others regard this worker as dead, and release what it owned.
   */
  giveUpAllSessions(): void {
    this.givenUp.giveUpAll();
    for (const connection of [...this.connections]) connection.end();
  }

  /**
   * Sends all clients away at a pace; new ones are not taken. Everything else goes on until `stop`. Resolves when no client is left, or at `stop`. Done twice, it
   * is done once. `random` is for tests.
   */
  drain(options: DrainOptions, random: () => number = () => this.random.number()): Promise<void> {
    const { clock, metrics } = this;
    this.draining ??= new Drain({ clock, metrics, random }, [...this.connections], options);
    return this.draining.done;
  }

  private get leavingReason(): string {
    return this.stopping || this.draining !== null ? 'the node is leaving' : 'the node is cordoned';
  }

  /**
   * Sends part of the clients to other nodes, those first that have been here longest: whoever came from another node lately stays. Returns how many; 0 while an
   * earlier call is still at it, or the node leaves.
   */
  sendAway(share: number, options: DrainOptions): number {
    if (this.leaving !== null || this.draining !== null || this.stopping) return 0;
    const { clock, metrics, random } = this;
    // Shares of many workers add up to what was wanted.
    const count = Math.min(this.connections.size, Math.floor(share * this.connections.size + random.number()));
    if (count === 0) return 0;
    const leaving = new Drain(
      { clock, metrics, random: () => random.number() },
      [...this.connections].slice(0, count),
      { ...options, stays: true },
    );
    this.leaving = leaving;
    void leaving.done.then(() => {
      this.leaving = null;
    });
    return count;
  }

  /** Sends no more clients to other nodes. */
  endSendingAway(): void {
    this.leaving?.endEarly();
  }

  /** Disconnects all clients, writes their sessions back, leaves the others. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.draining?.stop();
    this.leaving?.stop();
    this.bans.stop();
    this.housekeeping.stop();
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
    if (await withinBound(this.clock, flushed, flushMilliseconds)) return;
    this.logger.warn(events['store.flush-timed-out']);
  }
}
