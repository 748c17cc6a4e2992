/**
 * SUBSCRIBE (MQTT 5 section 3.8, MQTT 3.1.1 section 3.8).
 *
 * Order: check, store (durable sessions), make the route known here and to the other workers (P5), SUBACK, then
 * retained messages.
 */

import {
  decodeSubscribe,
  PacketType,
  type ProtocolVersion,
  parseShare,
  ReasonCode,
  type SubscribePacket,
  type SubscriptionRequest,
} from '@dunlin/protocol';
import type { Routes } from '../cluster/routes.ts';
import type { ClientLog } from '../connection/client-log.ts';
import { hex } from '../connection/client-log.ts';
import type { Connection } from '../connection/connection.ts';
import { faulty } from '../connection/faults.ts';
import type { HeldPacket } from '../connection/held-packets.ts';
import type { SessionPacketHandler } from '../connection/packet-handlers.ts';
import type { SubscribeQueue } from '../connection/subscribe-queue.ts';
import type { RetainedMessages } from '../delivery/retained.ts';
import type { MemoryLevel } from '../guards/memory-level.ts';
import type { Exceeded } from '../guards/subscription-budget.ts';
import { ConnectionState } from '../output/connection-state.ts';
import type { Authorizer } from '../ports/authorizer.ts';
import type { Clock } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { RetainedPage } from '../ports/retained-store.ts';
import type { Cursor, StoredSubscription } from '../ports/session-store.ts';
import type { Store } from '../ports/store.ts';
import { StoreError } from '../ports/store-error.ts';
import type { LogCursor } from '../session/log-cursor.ts';
import type { Session } from '../session/session.ts';
import type { Subscription } from '../session/subscription.ts';
import type { SubscriptionParts } from '../takeover/session-subscriptions.ts';
import { addSubscription, storedAs } from '../takeover/session-subscriptions.ts';
import { resume } from '../takeover/suspension.ts';
import { nextTurn } from '../work/in-slices.ts';
import type { StoreTrust } from '../work/store-trust.ts';
import { checkSubscription, type Refusal } from './check-subscription.ts';

/**
 * SUBSCRIBE packets held right behind this one: they go to the store together, each with its own SUBACK. A packet that
 * may end the connection is handled alone.
 */
function takeNext(connection: Connection, first: SubscribePacket, filtersMax: number): SubscribePacket[] {
  const packets: SubscribePacket[] = [];
  if (mayBreakRules(first)) return packets;
  let filters = first.subscriptions.length;
  for (
    let next = connection.holding.next(PacketType.subscribe);
    next !== null && filters < filtersAtOnce;
    next = connection.holding.next(PacketType.subscribe)
  ) {
    const packet = decodedOrNull(next, connection.version, filtersMax);
    if (packet === null || mayBreakRules(packet)) break;
    connection.holding.take();
    packets.push(packet);
    filters += packet.subscriptions.length;
  }
  return packets;
}

/** The decoded packet; null: malformed, which ends the connection when its turn comes. */
function decodedOrNull(
  { bytes, bodyStart }: HeldPacket,
  version: ProtocolVersion,
  filtersMax: number,
): SubscribePacket | null {
  try {
    return decodeSubscribe(bytes, bodyStart, bytes.length, version, filtersMax);
  } catch {
    return null;
  }
}

function mayBreakRules({ subscriptions }: SubscribePacket): boolean {
  return subscriptions.some(({ filter, noLocal }) => noLocal && parseShare(filter) !== null);
}

/**
 * Filters of one SUBSCRIBE that are checked before earlier ones are in force: so that one packet of thousands cannot
 * pass limits that it exceeds as a whole. Packets that are handled together hold no more than this and one packet's
 * worth: retained messages for all of them are read before they are answered.
 */
export const filtersAtOnce = 64;
/** Filters of one packet handled in one turn, where neither store nor authorizer makes it wait: about 3 ms. */
const filtersPerTurn = 4 * filtersAtOnce;
/** Time after which the turn ends all the same: on a busy machine, or for filters that cost more. */
const turnMilliseconds = 3;

interface Granted {
  stored: StoredSubscription;
  request: SubscriptionRequest;
  /** The session does not have the filter yet, and was charged for it. */
  isNew: boolean;
}

/** Result of SUBSCRIBE packets that were handled together. */
class Outcome {
  /** Reason codes, in the order of the filters of all packets [MQTT-3.8.4-6]. */
  readonly reasonCodes: number[] = [];
  /** Words for the client where a subscription was refused; empty where it was not. */
  readonly reasons: string[] = [];
  readonly replays: Subscription[] = [];
  readonly cursors: LogCursor[] = [];
}

/** SUBACK has one reason string for all filters: the last limit that refused one, else the first other reason. `at`: place of the first. */
function reasonOf(codes: readonly number[], reasons: readonly string[], at: number): string {
  const limited = codes.lastIndexOf(ReasonCode.quotaExceeded);
  if (limited >= 0) return reasons[at + limited];
  for (let i = at; i < at + codes.length; i++) if (reasons[i] !== '') return reasons[i];
  return '';
}

/**
 * Options that a bridge of MQTT 3 cannot express in its SUBSCRIBE. A shared subscription has no No Local
 * [MQTT-3.8.3-4].
 */
function askForBridge(subscription: StoredSubscription): void {
  subscription.noLocal = parseShare(subscription.filter) === null;
  subscription.retainAsPublished = true;
}

/**
 * Retained messages are sent on subscribe, unless the subscription option says otherwise or it is shared
 * [MQTT-3.3.1-9..11].
 */
function wantsRetained(request: SubscriptionRequest, isNew: boolean): boolean {
  if (request.retainHandling === 2 || (request.retainHandling === 1 && !isNew)) return false;
  return parseShare(request.filter) === null;
}

/** Refusal of a new subscription while memory of the node is scarce. */
function scarce(memory: MemoryLevel, { memoryHighPercent }: Limits): Exceeded {
  return { counted: 'memory', text: memory.refusal('subscriptions', memoryHighPercent) };
}

export interface SubscribeHandlerParts {
  store: Pick<Store, 'sessions' | 'logs'>;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  limits: Limits;
  clientLog: ClientLog;
  authorizer: Authorizer | null;
  memory: MemoryLevel;
  trust: StoreTrust;
  routes: Routes;
  retained: RetainedMessages;
  sysTopics: { replay(subscription: Subscription): void };
  subscriptions: SubscriptionParts;
  queue: SubscribeQueue;
}

export class SubscribeHandler implements SessionPacketHandler {
  private readonly parts: SubscribeHandlerParts;

  constructor(parts: SubscribeHandlerParts) {
    this.parts = parts;
  }

  handle(connection: Connection, session: Session, bytes: Buffer, bodyStart: number, end: number): void {
    const { filtersPerPacketMax } = this.parts.limits;
    const packet = decodeSubscribe(bytes, bodyStart, end, connection.version, filtersPerPacketMax);
    const packets = [packet, ...takeNext(connection, packet, filtersPerPacketMax)];
    connection.rates?.subscribed(packets.length);
    connection.holding.until(this.parts.queue.inTurn(connection, () => this.subscribe(connection, session, packets)));
  }

  /** Handles packets one behind the other: their filters go to the store 64 at a time, across the bounds of packets. */
  private async subscribe(connection: Connection, session: Session, packets: SubscribePacket[]): Promise<void> {
    const { parts } = this;
    const outcome = new Outcome();
    const { replays, cursors } = outcome;
    const { losses } = parts.trust;
    const all = packets.flatMap(({ subscriptions, subscriptionIdentifier }) =>
      subscriptions.map((request) => ({ request, subscriptionIdentifier })),
    );
    let turnFrom = 0;
    let turnAt = parts.clock.now();
    for (let from = 0; from < all.length; from += filtersAtOnce) {
      if (from - turnFrom >= filtersPerTurn || parts.clock.now() - turnAt >= turnMilliseconds) {
        await nextTurn(parts.clock);
        turnFrom = from;
        turnAt = parts.clock.now();
      }
      const isThere = await this.subscribeSome(connection, session, all.slice(from, from + filtersAtOnce), outcome);
      if (!isThere) return;
    }
    if (parts.routes.hasPeers) {
      // A retained message that another worker accepted a moment ago must be found, also where the route was known
      // before.
      await (replays.length > 0 ? parts.routes.confirmedAnew() : parts.routes.confirmed());
      // Messages that others appended before they knew of this route came with no frame: they are read.
      for (const cursor of cursors) cursor.checkEnd();
    }
    for (const cursor of cursors) cursor.pump();
    const pages = await Promise.all(
      replays.slice(0, filtersAtOnce).map((subscription) => parts.retained.firstPage(subscription)),
    );
    if (session.isStored && parts.trust.isDoubtful(losses)) {
      // If the store has lost them, the session ends, and its client subscribes again.
      await parts.trust.known(losses);
      if (session.hasEnded) return;
    }
    this.answer(connection, packets, outcome);
    if (replays.length > 0) void this.replayRetained(connection, replays, pages);
  }

  /** Sends SUBACK for each packet [MQTT-3.8.4-1], [MQTT-3.8.4-2]. */
  private answer(connection: Connection, packets: SubscribePacket[], { reasonCodes, reasons }: Outcome): void {
    let at = 0;
    for (const { packetId, subscriptions, leftOut = 0 } of packets) {
      const codes = reasonCodes.slice(at, at + subscriptions.length);
      let reasonString = reasonOf(codes, reasons, at);
      at += subscriptions.length;
      if (leftOut > 0) {
        reasonString = `${codes.length + leftOut} filters in a packet; limits.filtersPerPacketMax is ${codes.length}`;
        const refusal = {
          reasonCode: ReasonCode.quotaExceeded,
          reason: reasonString,
          counted: 'packet-limit',
        } as const;
        this.tellRefused(connection, subscriptions[0], refusal, leftOut);
        for (let i = 0; i < leftOut; i++) codes.push(ReasonCode.quotaExceeded);
      }
      const properties = reasonString !== '' && connection.outlet.mayTellReasons ? { reasonString } : {};
      // Before MQTT 5, a refusal is 0x80. MQTT 3.1 has no code for it, but its clients understand that one.
      connection.outlet.send({ type: 'suback', packetId, reasonCodes: codes, properties });
    }
  }

  /**
   * Checks and stores some filters and puts them in force here. False: the connection or the session ended meanwhile.
   */
  private async subscribeSome(
    connection: Connection,
    session: Session,
    some: readonly { request: SubscriptionRequest; subscriptionIdentifier: number }[],
    outcome: Outcome,
  ): Promise<boolean> {
    const { parts } = this;
    const granted: Granted[] = [];
    let placed = 0;
    try {
      await this.grantSome(connection, session, some, outcome, granted);
      if (connection.state === ConnectionState.closed) return false;
      const ends = session.isStored
        ? await parts.store.sessions.subscribe(
            session.key,
            granted.map(({ stored }) => stored),
          )
        : null;
      if (session.hasEnded) return false;
      const owed: Cursor[] = [];
      for (; placed < granted.length; placed++) {
        const { stored, request } = granted[placed];
        resume(parts.subscriptions, session, stored.filter);
        const isNew = !session.subscriptions.has(stored.filter);
        const logEnd = ends === null ? 0 : ends[placed].lastSequence;
        const subscription = addSubscription(parts.subscriptions, session, stored, logEnd);
        if (subscription.cursor !== null) outcome.cursors.push(subscription.cursor);
        if (subscription.cursor !== null && stored.qos === 0) owed.push(subscription.cursor.stored());
        if (wantsRetained(request, isNew)) outcome.replays.push(subscription);
      }
      // The end of what the client is owed is stored before SUBACK, whatever becomes of this worker.
      if (owed.length > 0) await parts.store.sessions.update(session.key, { cursors: owed });
      parts.clientLog.subscribed(
        connection,
        granted.map(({ stored }) => stored),
      );
      return !session.hasEnded;
    } finally {
      for (const { stored, isNew } of granted.slice(placed))
        if (isNew) parts.subscriptions.budget.giveBack(session, stored.filter);
    }
  }

  /** Checks some filters; those that are granted and new are charged. */
  private async grantSome(
    connection: Connection,
    session: Session,
    some: readonly { request: SubscriptionRequest; subscriptionIdentifier: number }[],
    outcome: Outcome,
    granted: Granted[],
  ): Promise<void> {
    const { limits, memory, subscriptions } = this.parts;
    const { budget, durableFilters } = subscriptions;
    const added = new Set<string>();
    for (const { request, subscriptionIdentifier } of some) {
      const checked = checkSubscription(this.parts, connection, session, request);
      let refusal = checked instanceof Promise ? await checked : checked;
      const { filter } = request;
      const isKnown = session.subscriptions.has(filter) || session.suspended?.byFilter.has(filter) === true;
      const isNew = !isKnown && !added.has(filter);
      if (refusal === null && isNew) {
        const isDurable = session.isStored && request.qos > 0;
        const exceeded =
          (memory.isHigh ? scarce(memory, limits) : null) ??
          (isDurable ? budget.exceededByDurable(durableFilters, filter) : null) ??
          budget.take(session, filter);
        if (exceeded !== null) {
          const { counted, text } = exceeded;
          refusal = { reasonCode: ReasonCode.quotaExceeded, reason: text, counted };
        }
      }
      const qos = Math.min(request.qos, limits.maximumQos) as 0 | 1 | 2;
      outcome.reasonCodes.push(refusal === null ? qos : refusal.reasonCode);
      outcome.reasons.push(refusal === null ? '' : refusal.reason);
      if (refusal !== null) {
        this.tellRefused(connection, request, refusal);
        continue;
      }
      if (isNew) added.add(filter);
      const stored = { ...request, qos, subscriptionIdentifier };
      if (connection.isBridge) askForBridge(stored);
      granted.push({ stored: storedAs(session, stored), request, isNew });
    }
  }

  private tellRefused(
    connection: Connection,
    { filter, qos }: SubscriptionRequest,
    { reasonCode, reason, counted }: Refusal,
    filters = 1,
  ): void {
    this.parts.metrics.subscriptionsRefused[counted] += filters;
    const fields = { filter, qos, code: hex(reasonCode), reason };
    this.parts.clientLog.refusedTo(connection, events['subscription.refused'], fields);
  }

  /** Starts the replay of retained messages. `pages`: the first pages of the first subscriptions. */
  private async replayRetained(
    connection: Connection,
    subscriptions: Subscription[],
    pages: (RetainedPage | null)[],
  ): Promise<void> {
    const { parts } = this;
    try {
      for (let i = 0; i < subscriptions.length; i++) {
        parts.sysTopics.replay(subscriptions[i]);
        const first = i < pages.length ? pages[i] : await parts.retained.firstPage(subscriptions[i]);
        await parts.retained.replay(subscriptions[i], first);
      }
    } catch (error) {
      if (!(error instanceof StoreError)) {
        faulty(connection, events['retained.handle-failed'], error);
        return;
      }
      // Without retained messages the client would believe that there are none: it is disconnected to ask again.
      parts.metrics.storeErrors++;
      parts.logger.warn(events['retained.read-failed'], {
        client: connection.session?.clientId,
        error,
      });
      connection.disconnect(ReasonCode.serverBusy, 'retained messages cannot be read');
    }
  }
}
