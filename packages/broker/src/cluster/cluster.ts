/**
 * This endpoint among the others: frames in, frames out, questions and answers (ARCHITECTURE.md, sections 5, 7 and 8).
 */
import type { Broker } from '../broker.ts';
import { readRecord } from '../message-record.ts';
import type { BackplaneReceiver } from '../ports/backplane.ts';
import type { EndpointId } from '../ports/store.ts';
import { decodeHanded, encodeHanded, type HandedSession } from '../takeover.ts';
import { FrameType, frameVersion, readMessage } from './frames.ts';
import { FrameReader, FrameWriter } from './wire.ts';

/** A takeover waits this long for the old owner; after it the claim alone counts. */
const requestMilliseconds = 5000;

interface OpenRequest {
  endpoint: EndpointId;
  deadline: number;
  answer: (body: string) => void;
}

export class Cluster implements BackplaneReceiver {
  private readonly broker: Broker;
  private readonly endpoints = new Set<EndpointId>();
  private readonly requests = new Map<number, OpenRequest>();
  private lastRequest = 0;
  /** What other workers count, for `$SYS`. */
  readonly statistics = new Map<EndpointId, number[]>();

  constructor(broker: Broker) {
    this.broker = broker;
    broker.clock.every(250, () => this.giveUpLate());
  }

  /** Whether this endpoint does what one has to do for all: expiry, wills, delayed messages, trimming. */
  get isLeader(): boolean {
    for (const endpoint of this.endpoints) if (endpoint < this.broker.self) return false;
    return true;
  }

  has(endpoint: EndpointId): boolean {
    return this.endpoints.has(endpoint);
  }

  get others(): number {
    return this.endpoints.size;
  }

  endpointJoined(endpoint: EndpointId): void {
    this.endpoints.add(endpoint);
    this.broker.links.joined(endpoint);
    this.broker.routes.joined(endpoint);
  }

  endpointLeft(endpoint: EndpointId): void {
    this.endpoints.delete(endpoint);
    this.statistics.delete(endpoint);
    this.broker.links.left(endpoint);
    this.broker.routes.left(endpoint);
    for (const [id, request] of this.requests) if (request.endpoint === endpoint) this.answer(id, '');
  }

  received(from: EndpointId, bytes: Uint8Array): void {
    try {
      this.handle(from, new FrameReader(bytes));
    } catch (error) {
      // One bad frame must not take the worker with it; what it carried for QoS above 0 was not acknowledged.
      this.broker.logger.error('a frame of another worker cannot be read', { from, error: String(error) });
    }
  }

  private handle(from: EndpointId, reader: FrameReader): void {
    const version = reader.u8();
    if (version !== frameVersion) throw new Error(`frame version ${version}; known is ${frameVersion}`);
    const { broker } = this;
    switch (reader.u8()) {
      case FrameType.routes: {
        const sequence = broker.routes.received(from, reader);
        // Confirmed only when what was retained here before can be read (retained.ts).
        void broker.retained.idle().then(() => this.sendNumber(from, FrameType.confirm, sequence));
        break;
      }
      case FrameType.confirm:
        broker.routes.confirmReceived(from, reader.u32());
        break;
      case FrameType.messages:
        this.messages(from, reader);
        break;
      case FrameType.acknowledge:
        broker.links.acknowledged(from, reader.u32());
        break;
      case FrameType.request:
        this.requested(from, reader.u32(), reader.text());
        break;
      case FrameType.response:
        this.answer(reader.u32(), reader.text());
        break;
      case FrameType.statistics:
        this.statistics.set(from, JSON.parse(reader.text()) as number[]);
        break;
      default:
        throw new Error('unknown frame type');
    }
  }

  private messages(from: EndpointId, reader: FrameReader): void {
    const sequence = reader.u32();
    this.broker.delivery.now = this.broker.clock.now();
    while (!reader.isAtEnd) {
      const entry = readMessage(reader);
      this.broker.router.receive(entry, readRecord(entry.record));
    }
    this.broker.links.frameReceived(from, sequence);
  }

  private sendNumber(to: EndpointId, type: number, value: number): void {
    const writer = new FrameWriter();
    writer.u8(frameVersion);
    writer.u8(type);
    writer.u32(value);
    this.broker.backplane?.send(to, writer.take());
  }

  private sendText(to: EndpointId, type: number, id: number, text: string): void {
    const writer = new FrameWriter();
    writer.u8(frameVersion);
    writer.u8(type);
    writer.u32(id);
    writer.text(text);
    this.broker.backplane?.send(to, writer.take());
  }

  broadcastStatistics(counters: number[]): void {
    if (this.endpoints.size === 0) return;
    const writer = new FrameWriter();
    writer.u8(frameVersion);
    writer.u8(FrameType.statistics);
    writer.text(JSON.stringify(counters));
    this.broker.backplane?.broadcast(writer.take());
  }

  /** Asks the owner of a session to let go. Resolves to what it held; null if it holds nothing, is dead, or does not answer in time. */
  requestSession(
    owner: EndpointId,
    clientId: string,
    cleanStart: boolean,
    epoch: number,
  ): Promise<HandedSession | null> {
    if (!this.endpoints.has(owner)) return Promise.resolve(null);
    const id = ++this.lastRequest;
    return new Promise((resolve) => {
      const deadline = this.broker.clock.now() + requestMilliseconds;
      this.requests.set(id, { endpoint: owner, deadline, answer: (body) => resolve(this.handedOf(owner, body)) });
      this.sendText(owner, FrameType.request, id, JSON.stringify({ clientId, cleanStart, epoch }));
    });
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
      this.broker.logger.error('what another worker handed over cannot be read', { owner, error: String(error) });
      return null;
    }
  }

  private requested(from: EndpointId, id: number, body: string): void {
    const { clientId, cleanStart, epoch } = JSON.parse(body) as {
      clientId: string;
      cleanStart: boolean;
      epoch: number;
    };
    void this.broker.sessions
      .handTo(clientId, cleanStart, epoch)
      .then((handed) => this.sendText(from, FrameType.response, id, encodeHanded(handed)));
  }

  private answer(id: number, body: string): void {
    const request = this.requests.get(id);
    if (request === undefined) return;
    this.requests.delete(id);
    request.answer(body);
  }

  private giveUpLate(): void {
    const now = this.broker.clock.now();
    for (const [id, request] of this.requests) {
      if (request.deadline > now) continue;
      this.broker.logger.warn('the owner of a session did not answer in time', { owner: request.endpoint });
      this.answer(id, '');
    }
  }
}
