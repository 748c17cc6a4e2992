/**
 * Requests to the owners of sessions, and answers to those of others (ARCHITECTURE.md, section 7). Request and answer
 * may be lost: a request is repeated under the same number until it is answered, its owner is gone, or its time is
 * over. An answer is kept for as long, since a session can be released only once.
 */

import { FrameWriter } from '../message/wire.ts';
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import { WorkTimer } from '../work/work-timer.ts';
import { type SessionRequestFrame, writeRequest, writeResponse } from './frames.ts';

/** Time that a takeover waits for the old owner; after it the claim alone counts. */
const requestMilliseconds = 5000;
const askAgainMilliseconds = 500;
const tickMilliseconds = 250;
/**
 * Time for which an answer is kept: longer than a request is repeated and on its way. There are as many answers as
 * takeovers in that time.
 */
const answerKeptMilliseconds = 10_000;

/** User that connected, where others are to be refused; null: nobody is. */
export type ClaimedFor = { readonly user: string } | null;

interface OpenRequest {
  endpoint: EndpointId;
  bytes: Uint8Array;
  deadline: number;
  askedAt: number;
  answer: (body: string) => void;
}

interface KeptAnswer {
  from: EndpointId;
  /** The body; null: the request is being handled. */
  bytes: Uint8Array | null;
  until: number;
}

export class SessionRequests {
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly send: (to: EndpointId, bytes: Uint8Array) => void;
  private readonly letGo: (request: SessionRequestFrame) => Promise<string>;
  private readonly open = new Map<number, OpenRequest>();
  private readonly answers = new Map<string, KeptAnswer>();
  private lastId = 0;
  private readonly timer: WorkTimer;

  /** `letGo` handles a request and resolves to the body of the answer. */
  constructor(
    clock: Clock,
    logger: Logger,
    send: (to: EndpointId, bytes: Uint8Array) => void,
    letGo: (request: SessionRequestFrame) => Promise<string>,
  ) {
    this.clock = clock;
    this.logger = logger;
    this.send = send;
    this.letGo = letGo;
    this.timer = new WorkTimer(clock, tickMilliseconds, () => this.tick());
  }

  /** Resolves to the answer; to an empty one if there is none in time. */
  ask(owner: EndpointId, request: Omit<SessionRequestFrame, 'id'>): Promise<string> {
    const id = ++this.lastId;
    const writer = new FrameWriter();
    writeRequest(writer, { id, ...request });
    const bytes = writer.take();
    const now = this.clock.now();
    this.timer.start();
    return new Promise((answer) => {
      this.open.set(id, { endpoint: owner, bytes, deadline: now + requestMilliseconds, askedAt: now, answer });
      this.send(owner, bytes);
    });
  }

  /** Handles a request of another endpoint, which may be a repetition. */
  requested(from: EndpointId, request: SessionRequestFrame): void {
    const key = `${from} ${request.id}`;
    const known = this.answers.get(key);
    if (known !== undefined) {
      if (known.bytes !== null) this.send(from, known.bytes);
      return;
    }
    const answer: KeptAnswer = { from, bytes: null, until: this.clock.now() + answerKeptMilliseconds };
    this.answers.set(key, answer);
    this.timer.start();
    this.letGo(request).then(
      (body) => {
        const writer = new FrameWriter();
        writeResponse(writer, request.id, body);
        answer.bytes = writer.take();
        this.send(from, answer.bytes);
      },
      (error: unknown) => {
        this.logger.error(events['session-handover.failed'], { client: request.clientId, error });
        this.answers.delete(key);
      },
    );
  }

  answered(id: number, body: string): void {
    const request = this.open.get(id);
    if (request === undefined) return; // answered twice, or too late
    this.open.delete(id);
    request.answer(body);
  }

  endpointLeft(endpoint: EndpointId): void {
    for (const [id, request] of this.open) if (request.endpoint === endpoint) this.answered(id, '');
    for (const [key, { from }] of this.answers) if (from === endpoint) this.answers.delete(key);
  }

  /** The backplane is connected again: requests are repeated at once. */
  askAgain(): void {
    const now = this.clock.now();
    for (const request of this.open.values()) {
      request.askedAt = now;
      this.send(request.endpoint, request.bytes);
    }
  }

  /** Returns whether a request is open or an answer is kept. */
  private tick(): boolean {
    const now = this.clock.now();
    for (const [id, request] of this.open) {
      if (request.deadline <= now) {
        this.logger.warn(events['session-handover.timed-out'], { owner: request.endpoint });
        this.answered(id, '');
      } else if (now - request.askedAt >= askAgainMilliseconds) {
        request.askedAt = now;
        this.send(request.endpoint, request.bytes);
      }
    }
    // In order of arrival, so the first that is kept ends the loop.
    for (const [key, { until }] of this.answers) {
      if (until > now) break;
      this.answers.delete(key);
    }
    return this.open.size > 0 || this.answers.size > 0;
  }
}
