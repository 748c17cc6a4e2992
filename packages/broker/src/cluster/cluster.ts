/**
 * This endpoint among the others: who is there, and which part of the broker each frame is for (ARCHITECTURE.md, sections 5, 7 and 8).
 */
import type { Broker } from '../broker.ts';
import { readRecord } from '../message-record.ts';
import type { BackplaneReceiver } from '../ports/backplane.ts';
import type { EndpointId } from '../ports/store.ts';
import { decodeHanded, encodeHanded, type HandedSession } from '../takeover.ts';
import { isRun, isWord, readEntryKind, readMessage, readRun } from './entries.ts';
import {
  FrameType,
  isAboutRoutes,
  readAcknowledgement,
  readFrameType,
  readKeptHead,
  readRequest,
  readResponse,
  readStatistics,
  writeConfirm,
  writeStatistics,
} from './frames.ts';
import { readGroupFrame } from './group-frames.ts';
import { RouteFrames } from './route-frames.ts';
import { SessionRequests } from './session-requests.ts';
import { FrameError, FrameReader, FrameWriter } from './wire.ts';

/** Endpoints that are remembered: each start of a worker is another one. */
const knownMax = 10_000;

export class Cluster implements BackplaneReceiver {
  private readonly broker: Broker;
  private readonly endpoints = new Set<EndpointId>();
  /** Those that were there before, too. */
  private readonly known = new Set<EndpointId>();
  private readonly requests: SessionRequests;
  private readonly routeFrames: RouteFrames;
  /** What other workers count, for `$SYS`. */
  readonly statistics = new Map<EndpointId, number[]>();

  constructor(broker: Broker) {
    this.broker = broker;
    this.routeFrames = new RouteFrames(broker.clock, (from, bytes) => this.handleSafely(from, bytes));
    this.requests = new SessionRequests(
      broker.clock,
      broker.logger,
      (to, bytes) => broker.backplane?.send(to, bytes),
      async ({ clientId, cleanStart, epoch }) =>
        encodeHanded(await broker.sessions.handTo(clientId, cleanStart, epoch)),
    );
  }

  /**
   * Whether this endpoint does what one has to do for all: expiry, wills, delayed messages, trimming. The first by name; when it is gone, or is not heard
   * of any more, it is the next one. Two that each believe to lead do no harm: what they take from the store is handed out once.
   */
  get isLeader(): boolean {
    for (const endpoint of this.endpoints) if (endpoint < this.broker.self) return false;
    return true;
  }

  has(endpoint: EndpointId): boolean {
    return this.endpoints.has(endpoint);
  }

  /** Whether it is there, or was while this endpoint was. */
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
    this.broker.links.joined(endpoint);
    this.broker.routes.joined(endpoint);
  }

  endpointLeft(endpoint: EndpointId): void {
    this.endpoints.delete(endpoint);
    this.statistics.delete(endpoint);
    const lost = this.broker.links.left(endpoint);
    this.routeFrames.left(endpoint);
    this.broker.routes.left(endpoint);
    for (const messages of lost) this.broker.router.rescue(messages);
    this.broker.groups.endpointLeft(endpoint);
    this.broker.durableFilters.endpointLeft(endpoint);
    this.broker.burials.endpointLeft(endpoint);
    this.requests.endpointLeft(endpoint);
    this.broker.logEnds.wantRound();
  }

  reconnected(): void {
    this.broker.routes.reconnected();
    this.broker.links.reconnected();
    this.requests.askAgain();
    this.broker.logEnds.wantRound();
  }

  received(from: EndpointId, bytes: Uint8Array): void {
    if (isAboutRoutes(bytes)) this.routeFrames.received(from, bytes);
    else this.handleSafely(from, bytes);
  }

  private handleSafely(from: EndpointId, bytes: Uint8Array): void {
    try {
      this.handle(from, new FrameReader(bytes));
    } catch (error) {
      // One bad frame must not take the worker with it. A kept one counts as taken in: sent again it would not become readable.
      this.broker.logger.error('a frame of another worker cannot be read', { from, error });
    }
  }

  private handle(from: EndpointId, reader: FrameReader): void {
    const { routes, links } = this.broker;
    switch (readFrameType(reader)) {
      case FrameType.kept:
        if (links.takeKept(from, readKeptHead(reader))) this.messages(from, reader);
        break;
      case FrameType.passing:
        this.passing(from, links.takePassing(from, reader.u32(), reader.f64(), reader.size), reader);
        break;
      case FrameType.broadcast:
        this.passing(from, links.takeBroadcast(from, reader.f64(), reader.size), reader);
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
      case FrameType.statistics:
        this.statistics.set(from, readStatistics(reader));
        break;
      default:
        throw new FrameError('a frame of an unknown type');
    }
  }

  private passing(from: EndpointId, isLost: boolean, reader: FrameReader): void {
    if (isLost) this.broker.logEnds.wantRound();
    this.messages(from, reader);
  }

  private messages(from: EndpointId, reader: FrameReader): void {
    const { broker } = this;
    broker.delivery.now = broker.clock.now();
    while (!reader.isAtEnd) {
      const kind = readEntryKind(reader);
      const run = isRun(kind) ? readRun(reader, kind) : null;
      const word = isWord(kind) ? reader.block() : null;
      const entry = run === null && word === null ? readMessage(reader, kind) : null;
      try {
        if (run !== null) broker.run.receive(run, broker.matches);
        else if (entry !== null) broker.router.receive(entry, readRecord(entry.record));
        else if (word !== null) broker.groups.received(from, readGroupFrame(new FrameReader(word)));
      } catch (error) {
        // The rest of the frame has nothing to do with it.
        broker.logger.error('what another worker has sent cannot be handled', { from, error });
      }
    }
  }

  /** Confirmed only when what was retained here before can be read (retained.ts). */
  private confirm(to: EndpointId, sequence: number | null): void {
    if (sequence === null) return;
    void this.broker.retained.idle().then(() => {
      const writer = new FrameWriter();
      writeConfirm(writer, sequence);
      this.broker.backplane?.send(to, writer.take());
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
    this.broker.backplane?.broadcast(writer.take());
  }

  /** Asks the owner of a session to let go. Resolves to what it held; null if it holds nothing, is dead, or does not answer in time. */
  async requestSession(
    owner: EndpointId,
    clientId: string,
    cleanStart: boolean,
    epoch: number,
  ): Promise<HandedSession | null> {
    if (!this.endpoints.has(owner)) return null;
    return this.handedOf(owner, await this.requests.ask(owner, clientId, cleanStart, epoch));
  }

  /** Without the store nobody knows who has the client: everybody is asked to let go of it. */
  async requestFromAll(clientId: string, cleanStart: boolean, epoch: number): Promise<void> {
    await Promise.all(
      [...this.endpoints].map((endpoint) => this.requestSession(endpoint, clientId, cleanStart, epoch)),
    );
  }

  /** An answer that cannot be read is none: the claim alone counts. */
  private handedOf(owner: EndpointId, body: string): HandedSession | null {
    try {
      return decodeHanded(body);
    } catch (error) {
      this.broker.logger.error('what another worker handed over cannot be read', { owner, error });
      return null;
    }
  }
}
