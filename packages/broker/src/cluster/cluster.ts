/**
 * This endpoint among the others: which of them are there, and which part of the broker each frame is for
 * (ARCHITECTURE.md, sections 5, 7 and 8).
 */
import type { DurableFilters } from '../logs/durable-filters.ts';
import type { LogEnds } from '../logs/log-ends.ts';
import { readRecord } from '../message/message-record.ts';
import type { Publication } from '../message/publication.ts';
import { FrameError, FrameReader, FrameWriter } from '../message/wire.ts';
import type { Backplane, BackplaneReceiver } from '../ports/backplane.ts';
import type { QueryAnswer } from '../ports/client-record.ts';
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import { otherUserError } from '../ports/session-store.ts';
import { StoreError } from '../ports/store-error.ts';
import { decodeHanded, encodeHanded, type HandedSession } from '../session/handover.ts';
import type { DeadEndpoints } from './dead-endpoints.ts';
import {
  type BatchEntry,
  isBatch,
  isControl,
  type MessageEntry,
  readBatch,
  readEntryKind,
  readMessage,
} from './entries.ts';
import {
  FrameType,
  isAboutRoutes,
  readAcknowledgement,
  readFrameType,
  readKeptHead,
  readRequest,
  readResponse,
  readStatistics,
  type SessionRequestFrame,
  writeConfirm,
  writeStatistics,
} from './frames.ts';
import { type GroupControl, readGroupControl } from './group-control.ts';
import type { Links, LostMessages } from './links.ts';
import { MessageFrames } from './message-frames.ts';
import { ClusterQueries } from './queries.ts';
import { RouteFrames } from './route-frames.ts';
import type { Routes } from './routes.ts';
import { type ClaimedFor, SessionRequests } from './session-requests.ts';

/** Endpoints that are remembered: each start of a worker adds one. */
const knownMax = 10_000;
/** Answer to a request for a session of another user; an earlier release is never asked for the user. */
const ofOtherUser = 'other-user';

/** Messages and requests of other endpoints for sessions and groups here. */
export interface ClusterUpcalls {
  /** The messages of a frame follow. */
  messagesBegin(): void;
  publishBatch(batch: BatchEntry): void;
  message(entry: MessageEntry, publication: Publication): void;
  /** Publishes for shared groups that an endpoint had not acknowledged when it left. */
  lost(messages: LostMessages): void;
  group(from: EndpointId, control: GroupControl): void;
  groupEndpointLeft(endpoint: EndpointId): void;
  /** Resolves when all messages that were retained here before can be read. */
  retainedIdle(): Promise<void>;
  handTo(clientId: string, cleanStart: boolean, epoch: number, user: ClaimedFor): Promise<HandedSession | null>;
}

export interface ClusterParts {
  self: EndpointId;
  backplane: Backplane | null;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  links: Links;
  routes: Routes;
  durableFilters: DurableFilters;
  logEnds: LogEnds;
  deadEndpoints: DeadEndpoints;
  upcalls: ClusterUpcalls;
}

export class Cluster implements BackplaneReceiver {
  private readonly parts: ClusterParts;
  private readonly endpoints = new Set<EndpointId>();
  /** Endpoints that are there, and those that were. */
  private readonly known = new Set<EndpointId>();
  private readonly requests: SessionRequests;
  private readonly queries: ClusterQueries;
  /** The answer to a question of an operator; set by the broker. Never rejects. */
  answer: (body: string) => Promise<string> = () => new Promise(() => undefined);
  private readonly routeFrames: RouteFrames;
  private readonly messageFrames: MessageFrames;
  /** Counters of other workers, for `$SYS`. */
  readonly statistics = new Map<EndpointId, number[]>();

  constructor(parts: ClusterParts) {
    this.parts = parts;
    this.routeFrames = new RouteFrames(parts.clock, (from, bytes) => this.handleSafely(from, bytes));
    this.messageFrames = new MessageFrames(parts.clock, parts.metrics, (from, bytes) => this.handleSafely(from, bytes));
    this.queries = new ClusterQueries({
      clock: parts.clock,
      send: (to, bytes) => parts.backplane?.send(to, bytes),
      answer: (body) => this.answer(body),
    });
    this.requests = new SessionRequests(
      parts.clock,
      parts.logger,
      (to, bytes) => parts.backplane?.send(to, bytes),
      (request) => this.handed(request),
    );
  }

  /** Puts a question to one endpoint. */
  query(endpoint: EndpointId, body: string, milliseconds: number): Promise<QueryAnswer> {
    return this.queries.ask(endpoint, body, milliseconds);
  }

  /** Other endpoints, or those of one node. */
  endpointsOf(node: string | null): EndpointId[] {
    return [...this.endpoints].filter((endpoint) => node === null || endpoint.startsWith(`${node}/`));
  }

  /** The answer to a request. */
  private async handed({ clientId, cleanStart, epoch, user }: SessionRequestFrame): Promise<string> {
    try {
      const { upcalls } = this.parts;
      return encodeHanded(await upcalls.handTo(clientId, cleanStart, epoch, user === null ? null : { user }));
    } catch (error) {
      if (error instanceof StoreError && error.code === 'other-user') return ofOtherUser;
      throw error;
    }
  }

  /**
   * True when this endpoint does the housekeeping for all: expiry, wills, delayed messages, trimming. The leader is the
   * first endpoint by name; when it is gone, or is no longer heard of, the next one leads. Two that both believe to
   * lead do no harm: the store hands out what they take once.
   */
  get isLeader(): boolean {
    for (const endpoint of this.endpoints) if (endpoint < this.parts.self) return false;
    return true;
  }

  has(endpoint: EndpointId): boolean {
    return this.endpoints.has(endpoint);
  }

  /** True when the endpoint is there, or was while this endpoint ran. */
  hasKnown(endpoint: EndpointId): boolean {
    return this.known.has(endpoint);
  }

  get others(): number {
    return this.endpoints.size;
  }

  endpointJoined(endpoint: EndpointId): void {
    this.endpoints.add(endpoint);
    this.known.add(endpoint);
    if (this.known.size > knownMax) this.known.delete(this.known.values().next().value as EndpointId);
    this.parts.links.joined(endpoint);
    this.parts.routes.joined(endpoint);
  }

  endpointLeft(endpoint: EndpointId): void {
    this.endpoints.delete(endpoint);
    this.statistics.delete(endpoint);
    const lost = this.parts.links.left(endpoint);
    this.routeFrames.left(endpoint);
    this.messageFrames.left(endpoint);
    this.parts.routes.left(endpoint);
    for (const messages of lost) this.parts.upcalls.lost(messages);
    this.parts.upcalls.groupEndpointLeft(endpoint);
    this.parts.durableFilters.endpointLeft(endpoint);
    this.parts.deadEndpoints.endpointLeft(endpoint);
    this.requests.endpointLeft(endpoint);
    this.queries.endpointLeft(endpoint);
    this.parts.logEnds.wantRound();
  }

  reconnected(): void {
    this.parts.routes.reconnected();
    this.parts.links.reconnected();
    this.requests.askAgain();
    this.parts.logEnds.wantRound();
  }

  received(from: EndpointId, bytes: Uint8Array): void {
    if (isAboutRoutes(bytes)) this.routeFrames.received(from, bytes);
    else this.messageFrames.received(from, bytes);
  }

  private handleSafely(from: EndpointId, bytes: Uint8Array): void {
    try {
      this.handle(from, new FrameReader(bytes));
    } catch (error) {
      // One bad frame must not end the worker. A kept frame counts as accepted: sent again it would not become
      // readable.
      this.parts.logger.error(events['frame.read-failed'], { from, error });
    }
  }

  private handle(from: EndpointId, reader: FrameReader): void {
    const { routes, links } = this.parts;
    switch (readFrameType(reader)) {
      case FrameType.kept:
        if (links.acceptKept(from, readKeptHead(reader))) this.messages(from, reader);
        break;
      case FrameType.passing:
        this.passing(from, links.acceptPassing(from, reader.u32(), reader.f64(), reader.size), reader);
        break;
      case FrameType.broadcast:
        this.passing(from, links.acceptBroadcast(from, reader.f64(), reader.size), reader);
        break;
      case FrameType.acknowledge:
        links.acknowledged(from, readAcknowledgement(reader));
        break;
      case FrameType.routes:
        this.confirm(from, routes.received(from, reader));
        break;
      case FrameType.snapshot:
        this.confirm(from, routes.snapshotReceived(from, reader));
        break;
      case FrameType.digest:
        this.confirm(from, routes.digestReceived(from, reader));
        break;
      case FrameType.confirm:
        routes.confirmReceived(from, reader.f64());
        break;
      case FrameType.wanted:
        routes.wanted(from, reader);
        break;
      case FrameType.request:
        this.requests.requested(from, readRequest(reader));
        break;
      case FrameType.response:
        this.response(reader);
        break;
      case FrameType.query:
        this.queries.queried(from, reader.f64(), reader.text());
        break;
      case FrameType.answer:
        this.queries.answered(from, reader.f64(), reader.text());
        break;
      case FrameType.statistics:
        this.statistics.set(from, readStatistics(reader));
        break;
      default:
        throw new FrameError('a frame of an unknown type');
    }
  }

  private passing(from: EndpointId, isLost: boolean, reader: FrameReader): void {
    if (isLost) this.parts.logEnds.wantRound();
    this.messages(from, reader);
  }

  private messages(from: EndpointId, reader: FrameReader): void {
    const { upcalls, logger } = this.parts;
    upcalls.messagesBegin();
    while (!reader.isAtEnd) {
      const kind = readEntryKind(reader);
      const batch = isBatch(kind) ? readBatch(reader, kind) : null;
      const control = isControl(kind) ? reader.block() : null;
      const entry = batch === null && control === null ? readMessage(reader, kind) : null;
      try {
        if (batch !== null) upcalls.publishBatch(batch);
        else if (entry !== null) upcalls.message(entry, readRecord(entry.record));
        else if (control !== null) upcalls.group(from, readGroupControl(new FrameReader(control)));
      } catch (error) {
        // The rest of the frame is independent of it.
        logger.error(events['frame.entry-failed'], { from, error });
      }
    }
  }

  /** Confirms only when all messages that were retained here before can be read (retained.ts). */
  private confirm(to: EndpointId, sequence: number | null): void {
    if (sequence === null) return;
    void this.parts.upcalls.retainedIdle().then(() => {
      const writer = new FrameWriter();
      writeConfirm(writer, sequence);
      this.parts.backplane?.send(to, writer.take());
    });
  }

  private response(reader: FrameReader): void {
    const { id, body } = readResponse(reader);
    this.requests.answered(id, body);
  }

  broadcastStatistics(counters: number[]): void {
    if (this.endpoints.size === 0) return;
    const writer = new FrameWriter();
    writeStatistics(writer, counters);
    this.parts.backplane?.broadcast(writer.take());
  }

  /**
   * Asks the owner of a session to release it. Resolves to the session's content; null if the owner has none, is dead,
   * or does not answer in time.
   */
  async requestSession(
    owner: EndpointId,
    clientId: string,
    cleanStart: boolean,
    epoch: number,
  ): Promise<HandedSession | null> {
    if (!this.endpoints.has(owner)) return null;
    return this.handedOf(owner, await this.requests.ask(owner, { clientId, cleanStart, epoch, user: null }));
  }

  /**
   * Asks all endpoints to release a client, whose owner is unknown without the store. Rejects with StoreError
   * `other-user` when one of them serves it to another user.
   */
  async requestFromAll(clientId: string, cleanStart: boolean, epoch: number, claimedFor: ClaimedFor): Promise<void> {
    const request = { clientId, cleanStart, epoch, user: claimedFor?.user ?? null };
    const asked = [...this.endpoints].map((endpoint) => this.requests.ask(endpoint, request));
    if ((await Promise.all(asked)).includes(ofOtherUser)) throw otherUserError();
  }

  /** An answer that cannot be read counts as none: then the claim alone decides. */
  private handedOf(owner: EndpointId, body: string): HandedSession | null {
    try {
      return decodeHanded(body);
    } catch (error) {
      this.parts.logger.error(events['session-handover.read-failed'], { owner, error });
      return null;
    }
  }
}
