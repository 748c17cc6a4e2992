/**
 * CONNECT (MQTT 5 section 3.1, MQTT 3.1.1 section 3.1).
 *
 * Order: check, ask for a ban, authenticate, claim the client identifier, load the session, keep the will, CONNACK, send again what was in flight, go on with the logs: the
 * states are drawn in takeover/opening.ts.
 */

import {
  type ConnectPacket,
  decodeConnect,
  ProtocolError,
  peekConnectVersion,
  quote,
  ReasonCode,
  validateTopicName,
} from '@dunlin/protocol';
import { refuseBanned } from '../connection/banned.ts';
import { assignedClientId, type ClientIdPolicy, clientIdFault } from '../connection/client-identifier.ts';
import type { ClientLog } from '../connection/client-log.ts';
import type { Connection } from '../connection/connection.ts';
import { firstDeadlineSecond } from '../connection/connection-deadlines.ts';
import type { FailedSignIns } from '../connection/failed-sign-ins.ts';
import { faulty, ruleBroken } from '../connection/faults.ts';
import type { KeepAlive } from '../connection/keep-alive.ts';
import { refuseForMemory } from '../connection/memory-refusal.ts';
import type { PacketHandler } from '../connection/packet-handlers.ts';
import { refuseConnect } from '../connection/send-refusal.ts';
import type { SubscriptionRights } from '../connection/subscription-rights.ts';
import type { SessionDelivery } from '../delivery/session-delivery.ts';
import { willOf } from '../delivery/will.ts';
import { finalizeReservations } from '../groups/group-reservations.ts';
import type { BanList } from '../guards/ban-list.ts';
import type { MemoryLevel } from '../guards/memory-level.ts';
import { type NewcomerTurns, newcomerCosts } from '../guards/newcomer-turns.ts';
import { requireClientIdLength, requireTopicLength } from '../message/name-length.ts';
import { publisherMark } from '../message/publisher-mark.ts';
import { isBridgeStateOf, isRestrictedTopic } from '../message/restricted-topic.ts';
import { InboundTopicAliases, OutboundTopicAliases } from '../message/topic-alias.ts';
import { ConnectionState } from '../output/connection-state.ts';
import type { Acceptance, AuthenticationResult, Authenticator, Credentials } from '../ports/authenticator.ts';
import type { Authorizer } from '../ports/authorizer.ts';
import type { GroupStore } from '../ports/group-store.ts';
import type { Limits } from '../ports/limits.ts';
import { events } from '../ports/log-events.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Random } from '../ports/random.ts';
import { StoreError } from '../ports/store-error.ts';
import type { ContestedIdentifiers } from '../takeover/contested-identifiers.ts';
import type { Opening } from '../takeover/opening.ts';
import type { Openings } from '../takeover/openings.ts';
import type { RareWarnings } from '../work/rare-warnings.ts';
import { connackProperties } from './connack.ts';
import { converse } from './enhanced-authentication.ts';

/** The protocol level, whatever name stands before it; 0: there is none. */
function levelOf(bytes: Buffer, bodyStart: number, end: number): number {
  if (end < bodyStart + 2) return 0;
  const levelAt = bodyStart + 2 + bytes.readUInt16BE(bodyStart);
  return levelAt < end ? bytes[levelAt] : 0;
}

export interface ConnectHandlerParts {
  limits: Limits;
  metrics: Metrics;
  random: Random;
  groupStore: GroupStore;
  keepAlive: KeepAlive;
  clientLog: ClientLog;
  bans: BanList;
  memory: MemoryLevel;
  newcomers: NewcomerTurns;
  failedSignIns: FailedSignIns;
  warnings: RareWarnings;
  authenticator: Authenticator;
  authorizer: Authorizer | null;
  clientIds: ClientIdPolicy;
  deniedWill: 'drop' | 'refuse';
  contested: ContestedIdentifiers;
  openings: Openings;
  delivery: SessionDelivery;
  rights: SubscriptionRights;
}

export class ConnectHandler implements PacketHandler {
  private readonly parts: ConnectHandlerParts;

  constructor(parts: ConnectHandlerParts) {
    this.parts = parts;
  }

  /** Throws ProtocolError; the connection answers with CONNACK where the version has words for it. */
  handle(connection: Connection, bytes: Buffer, bodyStart: number, end: number): void {
    const version = peekConnectVersion(bytes, bodyStart, end);
    // Of an unknown level it is answered as of 3.1.1 [MQTT-3.1.2-2]: bridges that ask for more than others try again with less at that answer alone.
    if (version !== 0) connection.setVersion(version);
    else if (levelOf(bytes, bodyStart, end) === 5) connection.setVersion(5); // of another name: it reads the answer of its level
    const packet = decodeConnect(bytes, bodyStart, end);
    if (this.parts.newcomers.take(newcomerCosts.connect)) this.start(connection, packet);
    else this.startInTurn(connection, packet);
  }

  private start(connection: Connection, packet: ConnectPacket): void {
    this.establish(connection, packet)
      .catch((error: unknown) => this.establishFailed(connection, error))
      .catch((error: unknown) => connection.escaped(error));
  }

  /** Many clients have come at once: this one is looked at in a later turn, if it is still there. */
  private startInTurn(connection: Connection, packet: ConnectPacket): void {
    const { signIn, transport } = connection;
    signIn.method = packet.properties.authenticationMethod ?? null;
    const waiting = this.parts.newcomers.wait(transport.remoteAddress, newcomerCosts.connect, () => {
      signIn.whenGone(null);
      this.start(connection, packet);
    });
    signIn.whenGone(() => waiting.leave());
  }

  private establishFailed(connection: Connection, error: unknown): void {
    if (error instanceof ProtocolError) {
      ruleBroken(connection, error);
      return;
    }
    if (!(error instanceof StoreError)) {
      faulty(connection, events['connect.handle-failed'], error);
      return;
    }
    if (error.code === 'other-user') {
      refuseConnect(connection, ReasonCode.notAuthorized, error.message);
      return;
    }
    if (error.code === 'quota-exceeded') {
      refuseConnect(connection, ReasonCode.quotaExceeded, error.message);
      return;
    }
    // The store cannot be reached: MQTT 3 has code 3, MQTT 5 has 0x88 (ARCHITECTURE.md, section 7).
    this.parts.metrics.storeErrors++;
    const reason = 'the session store is not available';
    // After CONNACK, while what was in flight was being sent again, it is a DISCONNECT.
    if (connection.state === ConnectionState.connected)
      connection.disconnect(ReasonCode.serverBusy, reason); // 0x88 is for CONNACK alone
    else refuseConnect(connection, ReasonCode.serverUnavailable, reason);
  }

  private async establish(connection: Connection, packet: ConnectPacket): Promise<void> {
    const { parts } = this;
    this.checkSupported(packet);
    this.takeClientLimits(connection, packet);
    const assigned = packet.clientId === '' ? `dunlin-${parts.random.uuid()}` : null;
    connection.clientId = assigned ?? packet.clientId; // [MQTT-3.1.3-6], [MQTT-3.1.3-7]
    if (refuseForMemory(connection, parts.memory)) return;
    if (refuseBanned(connection, parts.bans, packet.userName)) return;
    const accepted = await this.authenticate(connection, packet, connection.clientId);
    if (accepted === null) return;
    parts.failedSignIns.accepted(connection, accepted.userName);
    if (!connection.admit(accepted)) {
      if (connection.state === ConnectionState.closed) return;
      refuseConnect(connection, ReasonCode.notAuthorized, 'what the client signed in with was withdrawn');
      return;
    }
    if (assigned !== null)
      connection.clientId = assignedClientId(parts.clientIds, accepted.userName, assigned) ?? assigned;
    const { clientId } = connection;
    if (refuseBanned(connection, parts.bans, accepted.userName)) return;
    parts.clientLog.signedIn(connection);
    const may = this.mayConnect(connection, clientId);
    if (!(typeof may === 'boolean' ? may : await may)) return;
    const keepsWill = await this.authorizeWill(connection, packet, clientId);
    const turn = parts.contested.turnOf(clientId);
    if (turn !== null) await turn;
    const request = {
      clientId,
      address: connection.transport.remoteAddress,
      user: accepted.userName ?? '',
      cleanStart: packet.cleanStart,
      expirySeconds: this.expiryOf(connection, packet),
      inflightMax: Math.min(packet.properties.receiveMaximum ?? parts.limits.inflightMax, parts.limits.inflightMax),
      will: keepsWill ? willOf(packet, this.publisherOf(connection, clientId)) : null,
    };
    const opening = await parts.openings.inTurn(connection, request);
    if (opening === null) return;
    try {
      await opening.claim();
      await opening.takeOver();
      if (opening.takenFrom !== null) parts.clientLog.tookOver(connection, opening.takenFrom);
      await opening.keep();
      await parts.rights.beforeInForce(connection, opening.session, opening.stored);
      if (!opening.welcome()) return;
      this.welcome(connection, packet, opening, accepted.data);
      await opening.putInForce();
    } finally {
      parts.openings.over(opening);
    }
    if (await opening.confirm()) await this.begin(connection, opening);
  }

  /** False: the client is refused. "Cannot tell" means no. */
  private mayConnect(connection: Connection, clientId: string): boolean | Promise<boolean> {
    const { authorizer, clientIds } = this.parts;
    const { signIn } = connection;
    const fault = clientIdFault(clientIds, signIn.userName, clientId);
    if (fault !== null) {
      refuseConnect(connection, ReasonCode.clientIdentifierNotValid, fault);
      return false;
    }
    const answer = authorizer?.mayConnect?.(signIn.identity(clientId)) ?? true;
    const settle = (isAllowed: boolean): boolean => {
      if (!isAllowed) refuseConnect(connection, ReasonCode.notAuthorized, 'the rules do not let this client connect');
      return isAllowed;
    };
    return typeof answer === 'boolean' ? settle(answer) : answer.catch(() => false).then(settle);
  }

  private publisherOf(connection: Connection, clientId: string): string {
    return publisherMark(connection.signIn.identity(clientId), this.parts.authorizer !== null);
  }

  /** CONNACK, the first packet to the client [MQTT-3.2.0-1], once only [MQTT-3.2.0-2]. */
  private welcome(connection: Connection, packet: ConnectPacket, opening: Opening, data: Buffer | undefined): void {
    const { limits, clientLog } = this.parts;
    const { session } = opening;
    const sessionPresent = opening.stored !== null; // [MQTT-3.2.2-2]
    connection.connected(session);
    const properties = connection.version5 ? connackProperties(limits, connection, packet, session, data) : {};
    const fits = connection.outlet.send({
      ...{ type: 'connack', sessionPresent, reasonCode: ReasonCode.success, properties },
    });
    // A client that does not take even CONNACK cannot be served, nor told so.
    if (!fits) connection.end();
    this.watchKeepAlive(connection);
    clientLog.connected(connection, { cleanStart: packet.cleanStart, sessionPresent });
  }

  private checkSupported(packet: ConnectPacket): void {
    const { limits } = this.parts;
    requireClientIdLength(packet.clientId, limits.clientIdBytesMax);
    if (packet.will === null) return;
    const topic = Buffer.from(packet.will.topic);
    requireTopicLength(topic.length, limits.topicBytesMax);
    validateTopicName(topic, 0, topic.length, limits.topicLevelsMax); // a will that cannot be published later is refused now
    if (packet.will.retain && !limits.retainAvailable) {
      throw new ProtocolError(ReasonCode.retainNotSupported, 'retained wills are not supported here', 'MQTT-3.2.2-13');
    }
    if (packet.will.qos > limits.maximumQos) {
      throw new ProtocolError(
        ReasonCode.qosNotSupported,
        `a will of QoS ${packet.will.qos}; at most ${limits.maximumQos}`,
        'MQTT-3.2.2-12',
      );
    }
  }

  private takeClientLimits(connection: Connection, packet: ConnectPacket): void {
    const { limits } = this.parts;
    const { properties } = packet;
    const keepAlive = packet.keepAliveSeconds;
    const keepAliveMax = limits.keepAliveMaxSeconds;
    connection.isBridge = packet.isBridge === true;
    connection.keepAliveSeconds =
      keepAliveMax > 0 && (keepAlive === 0 || keepAlive > keepAliveMax) ? keepAliveMax : keepAlive;
    // MQTT 3 cannot be told of another keep alive, and is held to it all the same: else a dead connection without one stays for ever.
    if (!connection.version5) return;
    connection.inboundAliases = new InboundTopicAliases(limits.topicAliasMaximum, limits.topicBytesMax); // also with 0: then every alias is refused
    const aliases = Math.min(properties.topicAliasMaximum ?? 0, limits.topicAliasMaximum); // [MQTT-3.1.2-26], [MQTT-3.1.2-27]
    if (aliases > 0) connection.outlet.outboundAliases = new OutboundTopicAliases(aliases);
    connection.outlet.mayTellReasons = connection.version5 && properties.requestProblemInformation !== 0; // [MQTT-3.1.2-29]
    connection.outlet.clientMaximumPacketSize = properties.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    connection.outlet.isIndividual = aliases > 0 || properties.maximumPacketSize !== undefined;
  }

  /** MQTT 5 says how long; before, clean session 0 means as long as configured. */
  private expiryOf(connection: Connection, packet: ConnectPacket): number {
    const { limits } = this.parts;
    if (connection.version5)
      return Math.min(packet.properties.sessionExpiryInterval ?? 0, limits.sessionExpiryMaxSeconds);
    return packet.cleanStart ? 0 : Math.min(limits.persistentSessionExpirySeconds, limits.sessionExpiryMaxSeconds);
  }

  /** Null: refused, or the connection ended during the exchange. */
  private async authenticate(
    connection: Connection,
    packet: ConnectPacket,
    clientId: string,
  ): Promise<Acceptance | null> {
    const credentials: Credentials = {
      clientId,
      userName: packet.userName,
      password: packet.password,
      remoteAddress: connection.transport.remoteAddress,
      listener: connection.transport.listener,
      clientCertificate: connection.transport.clientCertificate,
      version: connection.version,
      presence: connection.signIn,
    };
    connection.signIn.claimedName = packet.userName;
    const turn = this.parts.failedSignIns.turnOf(connection, packet.userName);
    if (turn !== null) await turn;
    const method = packet.properties.authenticationMethod;
    if (method === undefined) return this.decide(connection, await this.parts.authenticator.authenticate(credentials));
    const exchange = this.parts.authenticator.exchange(method, credentials);
    if (exchange === null) {
      refuseConnect(connection, ReasonCode.badAuthenticationMethod, 'this authentication method is not known here'); // [MQTT-4.12.0-1]
      return null;
    }
    connection.signIn.method = method;
    const first = packet.properties.authenticationData ?? Buffer.alloc(0);
    const result = await converse(this.parts, connection, method, exchange, first);
    return result === null ? null : this.decide(connection, result);
  }

  private decide(connection: Connection, result: AuthenticationResult): Acceptance | null {
    const { parts } = this;
    const { metrics } = this.parts;
    if (result.kind === 'accept') {
      metrics.authenticationsAccepted++;
      return result;
    }
    if (result.kind === 'gone') {
      metrics.authenticationsGone++;
      return null;
    }
    const isOverloaded =
      result.kind === 'refuse' &&
      (result.reasonCode === ReasonCode.serverBusy || result.reasonCode === ReasonCode.connectionRateExceeded);
    if (isOverloaded) metrics.authenticationsOverloaded++;
    else metrics.authenticationsRefused++;
    if (result.kind === 'refuse') {
      const { reasonCode, reason, told } = result;
      const isUnknown = isOverloaded || reasonCode === ReasonCode.serverUnavailable;
      const event = events[isUnknown ? 'sign-in.check-failed' : 'sign-in.refused'];
      parts.clientLog.signInRefused(connection, event, reasonCode, told ?? { reason });
      parts.failedSignIns.refuse(connection, connection.signIn.claimedName, reasonCode, reason);
    } else refuseConnect(connection, ReasonCode.notAuthorized, '');
    return null;
  }

  /** A will is a publish that comes later: what the client may not publish, it may not leave behind. False: it is let in without it. */
  private async authorizeWill(connection: Connection, packet: ConnectPacket, clientId: string): Promise<boolean> {
    const { parts } = this;
    const { authorizer } = this.parts;
    const { will } = packet;
    if (will === null || isBridgeStateOf(will.topic, clientId)) return true;
    const client = connection.signIn.identity(clientId);
    const isAllowed =
      !isRestrictedTopic(will.topic) &&
      (authorizer === null || (await authorizer.authorize(client, 'publish', will.topic, will.qos, will.retain)));
    if (isAllowed) return true;
    if (parts.deniedWill === 'refuse')
      throw new ProtocolError(ReasonCode.notAuthorized, `a will for ${quote(will.topic)} is not allowed`);
    parts.metrics.dropped['not-authorized']++;
    parts.warnings.warn(events['will.denied'], clientId, { topic: will.topic });
    return false;
  }

  private watchKeepAlive(connection: Connection): void {
    const { keepAlive } = this.parts;
    connection.lastReceivedSecond = keepAlive.nowSecond;
    keepAlive.forget(connection);
    const deadline = firstDeadlineSecond(connection);
    if (deadline > 0) keepAlive.watch(connection, deadline);
  }

  /** Goes on after CONNACK: what was in flight first, in its order, then what the client sent early, then the logs. */
  private async begin(connection: Connection, { session, stored }: Opening): Promise<void> {
    const { rights } = this.parts;
    if (session.rulesVersion !== rights.version) await rights.check(connection, session);
    if (session.hasEnded) return;
    if (stored !== null && stored.outbound.length > 0) {
      await finalizeReservations(this.parts.groupStore, session.clientId, stored.outbound);
      if (session.hasEnded) return;
      await this.parts.delivery.resending.resend(session);
      if (session.hasEnded) return;
    }
    session.groupsSettled = true;
    connection.holding.goOn();
    this.parts.delivery.logs.logPages.pumpAll(session);
    this.parts.delivery.roomCame(session); // for what waited behind what was sent again
  }
}
