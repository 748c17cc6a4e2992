/**
 * Questions to other endpoints about what they have, and the answers to theirs. Question and answer may be lost: a
 * question is repeated under the same number until it is answered, its endpoint is gone, or its time is over. One that
 * comes again while it is answered is not answered twice; later it is, unless the answer was small enough to be kept:
 * so what changes something is done once.
 */
import { FrameWriter } from '../message/wire.ts';
import type { QueryAnswer } from '../ports/client-record.ts';
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import { WorkTimer } from '../work/work-timer.ts';
import { writeAnswer, writeQuery } from './frames.ts';

const askAgainMilliseconds = 500;
const tickMilliseconds = 100;
/** Time for which small answers are kept: longer than a question is repeated and on its way. */
const answerKeptMilliseconds = 10_000;
const keptBytesMax = 1024;
/** Answers that are kept; beyond, the oldest go. */
const keptMax = 10_000;

interface OpenQuery {
  endpoint: EndpointId;
  bytes: Uint8Array;
  deadline: number;
  askedAt: number;
  done: (answer: QueryAnswer) => void;
}

interface KeptAnswer {
  /** Null: it is being made. */
  bytes: Uint8Array | null;
  until: number;
}

export interface ClusterQueriesParts {
  clock: Clock;
  send: (to: EndpointId, bytes: Uint8Array) => void;
  /** Answers a question. Never rejects. */
  answer: (body: string) => Promise<string>;
}

export class ClusterQueries {
  private readonly parts: ClusterQueriesParts;
  private readonly open = new Map<number, OpenQuery>();
  private readonly answers = new Map<string, KeptAnswer>();
  private lastId = 0;
  private readonly timer: WorkTimer;

  constructor(parts: ClusterQueriesParts) {
    this.parts = parts;
    this.timer = new WorkTimer(parts.clock, tickMilliseconds, () => this.tick());
  }

  /** Resolves to the answer of one endpoint. */
  ask(endpoint: EndpointId, body: string, milliseconds: number): Promise<QueryAnswer> {
    const id = ++this.lastId;
    const writer = new FrameWriter();
    writeQuery(writer, id, body);
    const bytes = writer.take();
    const now = this.parts.clock.now();
    this.timer.start();
    return new Promise((done) => {
      this.open.set(id, { endpoint, bytes, deadline: now + milliseconds, askedAt: now, done });
      this.parts.send(endpoint, bytes);
    });
  }

  /** Handles a question of another endpoint, which may be a repetition. */
  queried(from: EndpointId, id: number, body: string): void {
    const key = `${from} ${id}`;
    const known = this.answers.get(key);
    if (known !== undefined) {
      if (known.bytes !== null) this.parts.send(from, known.bytes);
      return;
    }
    const kept: KeptAnswer = { bytes: null, until: Number.POSITIVE_INFINITY };
    this.answers.set(key, kept);
    void this.parts.answer(body).then((answer) => {
      const writer = new FrameWriter();
      writeAnswer(writer, id, answer);
      const bytes = writer.take();
      this.parts.send(from, bytes);
      this.answers.delete(key);
      if (bytes.length > keptBytesMax) return;
      kept.bytes = bytes;
      kept.until = this.parts.clock.now() + answerKeptMilliseconds;
      this.answers.set(key, kept);
      if (this.answers.size > keptMax) this.answers.delete(this.answers.keys().next().value as string);
      this.timer.start();
    });
  }

  answered(from: EndpointId, id: number, body: string): void {
    const query = this.open.get(id);
    if (query === undefined || query.endpoint !== from) return;
    this.open.delete(id);
    query.done({ endpoint: from, body });
  }

  endpointLeft(endpoint: EndpointId): void {
    for (const [id, query] of this.open) if (query.endpoint === endpoint) this.giveUp(id, query);
  }

  private giveUp(id: number, { endpoint, done }: OpenQuery): void {
    this.open.delete(id);
    done({ endpoint, body: null });
  }

  /** Returns whether there is anything left to look after. */
  private tick(): boolean {
    const now = this.parts.clock.now();
    for (const [id, query] of this.open) {
      if (now >= query.deadline) this.giveUp(id, query);
      else if (now - query.askedAt >= askAgainMilliseconds) {
        query.askedAt = now;
        this.parts.send(query.endpoint, query.bytes);
      }
    }
    for (const [key, { until }] of this.answers) {
      if (until > now) break;
      this.answers.delete(key);
    }
    return this.open.size > 0 || this.answers.size > 0;
  }
}
