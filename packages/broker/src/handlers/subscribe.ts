/**
 * SUBSCRIBE (MQTT 5 section 3.8, MQTT 3.1.1 section 3.8).
 *
 * Order: check, store (durable sessions), make the route known here and to the other workers (P5), SUBACK, then retained messages.
 */
import {
  decodeSubscribe,
  ProtocolError,
  parseShare,
  ReasonCode,
  type SubscribePacket,
  type SubscriptionRequest,
  validateTopicFilter,
} from '@dunlin/protocol';
import type { Connection } from '../connection.ts';
import { ConnectionState } from '../connection-state.ts';
import type { LogCursor } from '../log-cursor.ts';
import { type RetainedPage, type StoredSubscription, StoreError } from '../ports/store.ts';
import type { Session } from '../session.ts';
import { addSubscription } from '../session-subscriptions.ts';
import type { Subscription } from '../subscription.ts';

export function handleSubscribe(connection: Connection, bytes: Buffer, bodyStart: number, end: number): void {
  const packet = decodeSubscribe(bytes, bodyStart, end, connection.version);
  const session = connection.session as Session;
  inTurn(connection, () => subscribe(connection, session, packet));
}

/** SUBSCRIBE and UNSUBSCRIBE of one client are worked off one after the other; packets of other types go on meanwhile. */
export function inTurn(connection: Connection, work: () => Promise<void>): void {
  const before = connection.subscribing;
  const done = (before === null ? work() : before.then(work)).catch((error: unknown) => {
    if (error instanceof ProtocolError) {
      connection.protocolError(error);
      return;
    }
    if (error instanceof StoreError && (error.code === 'fenced' || error.code === 'unknown-session')) {
      connection.fenced();
      return;
    }
    connection.broker.metrics.storeErrors++;
    connection.broker.logger.warn('a subscription could not be stored', {
      client: connection.session?.clientId,
      error: String(error),
    });
    connection.disconnect(ReasonCode.serverBusy, 'the session store is not available');
  });
  connection.subscribing = done;
  void done.then(() => {
    if (connection.subscribing === done) connection.subscribing = null;
  });
}

/**
 * Filters of one SUBSCRIBE that are checked before those ahead of them are in force: so that one packet of thousands cannot pass limits that it exceeds as a
 * whole.
 */
const filtersAtOnce = 64;

interface Granted {
  stored: StoredSubscription;
  request: SubscriptionRequest;
}

/** Without a store, an authorizer or other workers to wait for, all is done when this returns, before the client's next packet. */
async function subscribe(connection: Connection, session: Session, packet: SubscribePacket): Promise<void> {
  const { broker } = connection;
  const reasonCodes: number[] = []; // one each, in their order [MQTT-3.8.4-6]
  const replays: Subscription[] = [];
  const cursors: LogCursor[] = [];
  for (let from = 0; from < packet.subscriptions.length; from += filtersAtOnce) {
    const granted: Granted[] = [];
    for (const request of packet.subscriptions.slice(from, from + filtersAtOnce)) {
      const checked = check(connection, session, request, granted.length);
      const reasonCode = typeof checked === 'number' ? checked : await checked;
      const qos = Math.min(request.qos, broker.limits.maximumQos) as 0 | 1 | 2;
      reasonCodes.push(reasonCode === 0 ? qos : reasonCode);
      if (reasonCode !== 0) continue;
      const stored = { ...request, qos, subscriptionIdentifier: packet.subscriptionIdentifier };
      if (connection.isBridge) askForBridge(stored);
      granted.push({ stored, request });
    }
    if (connection.state === ConnectionState.closed) return;
    const ends = session.stored
      ? await broker.store.subscribe(
          session.key,
          granted.map(({ stored }) => stored),
        )
      : null;
    if (session.ended) return;
    for (let i = 0; i < granted.length; i++) {
      const { stored, request } = granted[i];
      const isNew = !session.subscriptions.has(stored.filter);
      const subscription = addSubscription(broker, session, stored, ends === null ? 0 : ends[i].lastSequence);
      if (subscription.cursor !== null) cursors.push(subscription.cursor);
      if (wantsRetained(request, isNew)) replays.push(subscription);
    }
  }
  if (broker.routes.hasPeers) {
    // A retained message that another worker took a moment ago shall be found, also where the route was known before.
    await (replays.length > 0 ? broker.routes.confirmedAnew() : broker.routes.confirmed());
    // What others appended before they knew of this route came with no frame: it is read.
    for (const cursor of cursors) cursor.checkEnd();
  }
  for (const cursor of cursors) cursor.pump();
  const pages = await Promise.all(
    replays.slice(0, filtersAtOnce).map((subscription) => broker.retained.firstPage(subscription)),
  );
  // [MQTT-3.8.4-1], [MQTT-3.8.4-2]. Before MQTT 5, what was refused is 0x80; MQTT 3.1 has no code for it, and its clients read that one all the same.
  connection.send({ type: 'suback', packetId: packet.packetId, reasonCodes, properties: {} });
  if (replays.length > 0) void replayRetained(connection, replays, pages);
}

/** What a bridge of MQTT 3 cannot write into its SUBSCRIBE. A shared subscription has no No Local [MQTT-3.8.3-4]. */
function askForBridge(subscription: StoredSubscription): void {
  subscription.noLocal = parseShare(subscription.filter) === null;
  subscription.retainAsPublished = true;
}

/** Retained messages are sent on subscribe, unless the subscription says otherwise or is shared [MQTT-3.3.1-9..11]. */
function wantsRetained(request: SubscriptionRequest, isNew: boolean): boolean {
  if (request.retainHandling === 2 || (request.retainHandling === 1 && !isNew)) return false;
  return parseShare(request.filter) === null;
}

/** `pages`: the first pages of the first subscriptions. */
async function replayRetained(
  connection: Connection,
  subscriptions: Subscription[],
  pages: (RetainedPage | null)[],
): Promise<void> {
  const { broker } = connection;
  try {
    for (let i = 0; i < subscriptions.length; i++) {
      broker.sysTopics.replay(subscriptions[i]);
      const first = i < pages.length ? pages[i] : await broker.retained.firstPage(subscriptions[i]);
      await broker.retained.replay(subscriptions[i], first);
    }
  } catch (error) {
    // Without them the client would believe that there are none: it shall ask again.
    broker.metrics.storeErrors++;
    broker.logger.warn('retained messages could not be read', {
      client: connection.session?.clientId,
      error: String(error),
    });
    connection.disconnect(ReasonCode.serverBusy, 'retained messages cannot be read');
  }
}

/**
 * 0, or why the subscription is refused. Throws ProtocolError for what ends the connection. `pending`: subscriptions granted already that the session does
 * not count yet.
 */
function check(
  connection: Connection,
  session: Session,
  request: SubscriptionRequest,
  pending: number,
): number | Promise<number> {
  const { limits, authorizer } = connection.broker;
  const { filter } = request;
  if (validateTopicFilter(filter) !== null) return ReasonCode.topicFilterInvalid;
  const share = parseShare(filter);
  if (share !== null) {
    if (request.noLocal) {
      throw new ProtocolError(ReasonCode.protocolError, 'No Local on a shared subscription', 'MQTT-3.8.3-4');
    }
    if (!limits.sharedSubscriptionAvailable) return ReasonCode.sharedSubscriptionsNotSupported;
  }
  if (!limits.wildcardSubscriptionAvailable && /[+#]/.test(filter)) return ReasonCode.wildcardSubscriptionsNotSupported;
  if (!session.subscriptions.has(filter) && session.subscriptions.size + pending >= limits.subscriptionsMax)
    return ReasonCode.quotaExceeded;
  if (!connection.broker.tree.mayAdd(share?.filter ?? filter)) return ReasonCode.quotaExceeded;
  if (authorizer === null) return 0;
  const client = connection.identity(session.clientId);
  const allowed = authorizer.authorize(client, 'subscribe', share?.filter ?? filter, request.qos, false);
  if (allowed === true) return 0;
  if (allowed === false) return ReasonCode.notAuthorized;
  // "Cannot tell" means no (features C3).
  return allowed.then(
    (isAllowed) => (isAllowed ? 0 : ReasonCode.notAuthorized),
    () => ReasonCode.notAuthorized,
  );
}
