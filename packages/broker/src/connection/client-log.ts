/**
 * Log lines about clients: connects, disconnects, and each refusal of a connection, a PUBLISH or a SUBSCRIBE. Clients
 * can cause refusals as often as they like: for one network ten refusals a second are written; the others are counted,
 * and the count is written when it has become quiet.
 *
 * No field holds anything that grants access: only names that were authenticated, identifiers, topics, addresses.
 */

import { describeBan } from '../guards/ban-list.ts';
import { networkOf } from '../guards/network-of.ts';
import { RefusalAllowance } from '../guards/refusal-allowance.ts';
import type { Publication } from '../message/publication.ts';
import type { Audit } from '../ports/audit.ts';
import { auditEvents } from '../ports/audit-events.ts';
import type { Ban } from '../ports/ban-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloseReason } from '../ports/close-reason.ts';
import { events } from '../ports/log-events.ts';
import type { LogEvent, LogFields, Logger } from '../ports/logger.ts';
import { recordBanAdded } from './ban-records.ts';
import type { ClientEvents } from './client-events.ts';
import type { KeepAlive } from './keep-alive.ts';
import { LastDisconnects } from './last-disconnects.ts';

/** Networks whose refusals are counted apart; those above are counted together. */
const networksMax = 1000;
const others = 'other addresses';

/** Interval of lines about what was left out, while it goes on. */
const toldSeconds = 10;
/** Time without anything left out after which it is quiet: each second begins with what may be logged. */
const quietSeconds = 2;

/** Reason for the refusal of a PUBLISH or a SUBSCRIBE that an authorizer did not allow. */
export const notAllowed = 'not allowed by the rules';

interface Untold {
  refusals: number;
  sinceSecond: number;
  lastSecond: number;
}

const versionNames: Readonly<Record<number, string>> = { 3: '3.1', 4: '3.1.1', 5: '5.0' };

/** Fields of a connection for the log. */
export interface LoggedClient {
  readonly clientId: string;
  readonly signIn: {
    readonly userName: string | null;
    readonly acceptance: { readonly method?: string } | null;
  };
  readonly transport: { readonly remoteAddress: string; readonly listener: string };
  readonly version: number;
  readonly keepAliveSeconds: number;
  readonly closeReason: CloseReason;
  readonly closeCode: number;
}

export interface ClientLogParts {
  clock: Clock;
  logger: Logger;
  /** Allowance in which the workers of this node count the refusals that are logged; absent: there is one worker. */
  refusals?: RefusalAllowance;
  /** True when connects and disconnects are logged at level info. */
  tellsConnections?: boolean;
  /** Null, or absent: there is no audit log. */
  audit?: Audit | null;
}

export class ClientLog {
  tellsConnections: boolean;
  /** Events for subscribers; null: there are none. */
  events: ClientEvents | null = null;
  readonly lastDisconnects = new LastDisconnects();
  private readonly clock: Clock;
  private readonly keepAlive: KeepAlive;
  private readonly logger: Logger;
  private readonly audit: Audit | null;
  private readonly allowance: RefusalAllowance;
  private readonly unacknowledgedBytes = new Map<string, Untold>();
  private stop: (() => void) | null = null;

  constructor({ clock, logger, refusals, tellsConnections, audit }: ClientLogParts, keepAlive: KeepAlive) {
    this.clock = clock;
    this.keepAlive = keepAlive;
    this.logger = logger;
    this.audit = audit ?? null;
    this.allowance = refusals ?? new RefusalAllowance();
    this.tellsConnections = tellsConnections ?? false;
  }

  connected(connection: LoggedClient, fields: { cleanStart: boolean; sessionPresent: boolean }): void {
    const { keepAliveSeconds } = connection;
    this.tellConnection(events['client.connected'], { ...describeVersion(connection), ...fields, keepAliveSeconds });
    if (this.events?.isWanted('connected') === true)
      this.events.tell('connected', { ...describeVersion(connection), ...fields, keepAliveSeconds });
  }

  /** `code`: of the DISCONNECT, whoever sent it; 0 says nothing. */
  disconnected(connection: LoggedClient, durationMilliseconds: number): void {
    const { clientId, closeReason, closeCode, transport } = connection;
    this.lastDisconnects.note(clientId, this.clock.now(), closeReason, closeCode, transport.remoteAddress);
    this.tellConnection(events['client.disconnected'], {
      ...describeVersion(connection),
      reason: closeReason,
      ...(closeCode === 0 ? {} : { code: hex(closeCode) }),
      durationSeconds: durationMilliseconds / 1000,
    });
    if (this.events?.isWanted('disconnected') === true)
      this.events.tell('disconnected', {
        ...describeVersion(connection),
        reason: closeReason,
        code: closeCode,
        durationSeconds: durationMilliseconds / 1000,
      });
  }

  /** The client has subscribed to these filters. */
  subscribed(connection: LoggedClient, subscriptions: readonly { filter: string; qos: number }[]): void {
    if (subscriptions.length === 0 || this.events?.isWanted('subscribed') !== true) return;
    const named = subscriptions.map(({ filter, qos }) => ({ filter, qos }));
    this.events.tell('subscribed', { ...describeClient(connection), subscriptions: named });
  }

  private tellConnection<Field extends string>(
    event: LogEvent<'info', Field>,
    fields: LogFields<NoInfer<Field>>,
  ): void {
    if (this.tellsConnections) this.logger.info(event as LogEvent<'info'>, fields);
    else this.logger.debug(event as LogEvent, fields);
  }

  /** Logs a refusal of a client whose connection there is. */
  refusedTo<Field extends string>(
    connection: LoggedClient,
    event: LogEvent<'info' | 'warn', Field>,
    fields: Omit<LogFields<NoInfer<Field>>, keyof ClientFields>,
  ): void {
    if (this.events?.isWanted('refused') === true)
      this.events.tell('refused', { what: event.name, ...describeClient(connection), ...fields });
    if (this.mayTell(connection.transport.remoteAddress))
      this.tell(event, { ...describeClient(connection), ...fields });
  }

  /** Logs a refused sign-in. `told`: what the log may know. */
  signInRefused(
    connection: LoggedClient,
    event: LogEvent<'info' | 'warn'>,
    reasonCode: number,
    told: { readonly user?: string; readonly method?: string; readonly reason: string },
  ): void {
    this.refusedTo(connection, event, told);
    if (this.audit === null) return;
    const { user: claimedUser, ...why } = told;
    this.audit.record(auditEvents['sign-in.refused'], {
      ...{ ...describeClient(connection), code: hex(reasonCode), ...why },
      ...(claimedUser === undefined ? {} : { claimedUser }),
    });
  }

  signedIn(connection: LoggedClient): void {
    if (this.audit === null) return;
    const method = connection.signIn.acceptance?.method ?? 'anonymous';
    this.audit.record(auditEvents['sign-in.accepted'], { ...describeVersion(connection), method });
  }

  /** A rule has banned the client. */
  banMade(connection: LoggedClient, ban: Ban): void {
    this.refusedTo(connection, events['client.ban-made'], { reason: describeBan(ban) });
    if (this.audit !== null) recordBanAdded(this.audit, ban);
  }

  /** The client's session was in use by a connection at this endpoint, from this address if that is known. */
  tookOver(connection: LoggedClient, { endpoint, address }: { endpoint: string; address: string }): void {
    this.audit?.record(auditEvents['session.taken-over'], {
      ...{ ...describeClient(connection), fromEndpoint: endpoint },
      ...(address === '' ? {} : { fromAddress: address }),
    });
  }

  /** The client is under a ban: it was refused, or its connection ends. */
  banned(connection: LoggedClient, event: LogEvent<'info' | 'warn'>, fields: { reason: string; code?: string }): void {
    this.refusedTo(connection, event, fields);
    this.audit?.record(auditEvents['client.banned'], { ...describeClient(connection), reason: fields.reason });
  }

  /** The client's credentials were withdrawn, or have expired. */
  withdrawn(connection: LoggedClient, reason: string): void {
    this.audit?.record(auditEvents['sign-in.withdrawn'], { ...describeClient(connection), reason });
  }

  /** Logs a refused PUBLISH, as often as a client publishes: nothing is made for what is only counted. */
  publishRefused(connection: LoggedClient, publication: Publication, reason: string): void {
    if (this.events?.isWanted('refused') === true) {
      const fields = { topic: publication.topic(), qos: publication.qos, retain: publication.retain, reason };
      this.events.tell('refused', { what: 'publish.refused', ...describeClient(connection), ...fields });
    }
    if (!this.mayTell(connection.transport.remoteAddress)) return;
    const { qos, retain } = publication;
    this.logger.info(events['publish.refused'], {
      ...describeClient(connection),
      topic: publication.topic(),
      qos,
      retain,
      reason,
    });
  }

  /** `fields` with `address`. */
  refused<Field extends string>(
    event: LogEvent<'info' | 'warn', Field>,
    fields: LogFields<NoInfer<Field>> & { readonly address: string },
  ): void {
    if (this.mayTell(fields.address)) this.tell(event, fields);
  }

  private tell(event: LogEvent<'info' | 'warn'>, fields: Record<string, unknown>): void {
    if (event.level === 'warn') this.logger.warn(event as LogEvent<'warn'>, fields);
    else this.logger.info(event as LogEvent<'info'>, fields);
  }

  /** False: it is counted. */
  private mayTell(address: string): boolean {
    const network = networkOf(address);
    const { nowSecond } = this.keepAlive;
    if (this.allowance.take(network, nowSecond)) return true;
    const key = this.unacknowledgedBytes.has(network) || this.unacknowledgedBytes.size < networksMax ? network : others;
    const known = this.unacknowledgedBytes.get(key);
    if (known === undefined)
      this.unacknowledgedBytes.set(key, { refusals: 1, sinceSecond: nowSecond, lastSecond: nowSecond });
    else {
      known.refusals++;
      known.lastSecond = nowSecond;
    }
    this.stop ??= this.clock.every(1000, () => this.tellUntold(this.keepAlive.nowSecond));
    return false;
  }

  private tellUntold(nowSecond: number): void {
    for (const [network, { refusals, sinceSecond, lastSecond }] of this.unacknowledgedBytes) {
      if (nowSecond - lastSecond < quietSeconds && nowSecond - sinceSecond < toldSeconds) continue;
      this.unacknowledgedBytes.delete(network);
      this.logger.info(events['refusals.summarized'], { address: network, refusals });
    }
    if (this.unacknowledgedBytes.size > 0) return;
    this.stop?.();
    this.stop = null;
  }

  /** Says what is left. */
  end(): void {
    this.tellUntold(Number.POSITIVE_INFINITY);
  }
}

interface ClientFields {
  client: string;
  user: string;
  address: string;
  listener: string;
}

/** Fields of a client in a line of the log, or in a record of the audit log. */
function describeClient({ clientId, signIn, transport }: LoggedClient): ClientFields {
  return {
    client: clientId,
    user: signIn.userName ?? '',
    address: transport.remoteAddress,
    listener: transport.listener,
  };
}

function describeVersion(connection: LoggedClient): ClientFields & { version: string } {
  return { ...describeClient(connection), version: versionNames[connection.version] };
}

/** Reason code as the specification writes it. */
export function hex(code: number): string {
  return `0x${code.toString(16).padStart(2, '0').toUpperCase()}`;
}
