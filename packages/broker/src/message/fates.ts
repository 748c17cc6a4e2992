/**
 * Fates of the last messages of this worker: all ends that are no plain delivery, and a sample of deliveries, for
 * operators who ask what became of a message. A ring of slots that are made once, and so bounded in bytes; what is noted
 * is copied into a slot. A delivery that is not sampled costs one count.
 */

import { type FateRecord, fateKinds, fatesMax } from '../ports/fate-record.ts';
import type { DropReason } from '../ports/metrics.ts';
import type { Publication } from './publication.ts';

/** Bytes of a topic that a slot has room for: of longer ones, the beginning. */
const topicBytesMax = 120;
/** Deliveries until the next count of a worker that samples none. */
const never = 0x3fffffff;

const numberOf = new Map<string, number>(fateKinds.map((kind, number) => [kind, number]));

export class Fates {
  /** Deliveries until the next one is noted. Hot path: counted down by whoever delivers. */
  untilSample: number;
  /** Deliveries of which one is noted; 0: none is. */
  private readonly every: number;
  private readonly now: () => number;
  private readonly times = new Float64Array(fatesMax);
  private readonly kinds = new Uint8Array(fatesMax);
  private readonly qos = new Uint8Array(fatesMax);
  private readonly topicLengths = new Uint8Array(fatesMax);
  private readonly topics = Buffer.alloc(fatesMax * topicBytesMax);
  private readonly clients: string[] = new Array(fatesMax).fill('');
  private readonly publishers: string[] = new Array(fatesMax).fill('');
  /** Fates that were noted since the start. */
  private count = 0;

  /** `percent`: share of deliveries that are noted. */
  constructor(percent: number, now: () => number) {
    this.every = percent === 0 ? 0 : Math.max(1, Math.round(100 / percent));
    this.untilSample = this.every === 0 ? never : this.every;
    this.now = now;
  }

  /** Notes the end of a message for this client; empty: of none in particular. */
  dropped(reason: DropReason, clientId: string, publication: Publication): void {
    const { bytes, topicStart, topicEnd, publisher } = publication;
    this.note(reason, clientId, publisher, publication.qos, bytes, topicStart, topicEnd);
  }

  /** Called when `untilSample` has reached 0: notes this delivery, and counts anew. */
  delivered(clientId: string, publication: Publication): void {
    if (this.startOver()) return;
    const { bytes, topicStart, topicEnd, publisher } = publication;
    this.note('delivered', clientId, publisher, publication.qos, bytes, topicStart, topicEnd);
  }

  /** The same of a message of a batch. */
  deliveredOfBatch(clientId: string, publisher: string, topic: string): void {
    if (!this.startOver()) this.noteNamed('delivered', clientId, publisher, topic);
  }

  /** The same as `dropped`, of messages of a batch. */
  droppedOfBatch(reason: DropReason, clientId: string, publisher: string, topic: string): void {
    this.noteNamed(reason, clientId, publisher, topic);
  }

  /** Fates that match, the newest first. Empty texts match all. */
  last(clientId: string, matches: (topic: string) => boolean, limit: number): FateRecord[] {
    const found: FateRecord[] = [];
    const first = Math.max(0, this.count - fatesMax);
    for (let number = this.count - 1; number >= first && found.length < limit; number--) {
      const at = number % fatesMax;
      if (clientId !== '' && this.clients[at] !== clientId && this.publishers[at] !== clientId) continue;
      const topicAt = at * topicBytesMax;
      const topic = this.topics.toString('utf8', topicAt, topicAt + this.topicLengths[at]);
      if (!matches(topic)) continue;
      found.push({
        ...{ at: this.times[at], fate: fateKinds[this.kinds[at]], topic, qos: this.qos[at] },
        ...{ client: this.clients[at], publisher: this.publishers[at] },
      });
    }
    return found;
  }

  /** True: no deliveries are sampled. */
  private startOver(): boolean {
    this.untilSample = this.every === 0 ? never : this.every;
    return this.every === 0;
  }

  private noteNamed(kind: (typeof fateKinds)[number], clientId: string, publisher: string, topic: string): void {
    const at = this.take(kind, clientId, publisher, 0);
    this.topicLengths[at] = this.topics.write(topic, at * topicBytesMax, topicBytesMax);
  }

  private note(
    kind: (typeof fateKinds)[number],
    clientId: string,
    publisher: string,
    qos: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const at = this.take(kind, clientId, publisher, qos);
    const length = Math.min(end - start, topicBytesMax);
    this.topicLengths[at] = length;
    bytes.copy(this.topics, at * topicBytesMax, start, start + length);
  }

  /** Fills the next slot but for its topic. */
  private take(kind: (typeof fateKinds)[number], clientId: string, publisher: string, qos: number): number {
    const at = this.count++ % fatesMax;
    this.times[at] = this.now();
    this.kinds[at] = numberOf.get(kind) ?? 0;
    this.qos[at] = qos;
    this.clients[at] = clientId;
    this.publishers[at] = publisher;
    return at;
  }
}
