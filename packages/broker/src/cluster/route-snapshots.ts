/**
 * Whole sets of this endpoint's routes on their way to others, a part a turn: 100,000 filters are some 4 MiB, which
 * must not hold up what clients wait for (ARCHITECTURE.md, section 5). One set is under way at a time; endpoints that
 * ask meanwhile get the next one together.
 */

import { FrameWriter } from '../message/wire.ts';
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import { beginSnapshotPart, markLast, routesBytesMax, writeChange } from './frames.ts';
import type { OwnRoute, OwnRoutes } from './own-routes.ts';

interface Run {
  id: number;
  to: Set<EndpointId>;
  sequence: number;
  routes: OwnRoute[];
  at: number;
  part: number;
}

export class RouteSnapshots {
  private readonly own: OwnRoutes;
  private readonly clock: Clock;
  private readonly send: (to: EndpointId, bytes: Uint8Array) => void;
  private readonly asked = new Set<EndpointId>();
  private run: Run | null = null;
  private lastId = 0;

  constructor(own: OwnRoutes, clock: Clock, send: (to: EndpointId, bytes: Uint8Array) => void) {
    this.own = own;
    this.clock = clock;
    this.send = send;
  }

  /** All changes so far have been given to the backplane: later ones follow the set. */
  sendTo(endpoint: EndpointId): void {
    this.asked.add(endpoint);
    if (this.run === null) this.begin();
  }

  left(endpoint: EndpointId): void {
    this.asked.delete(endpoint);
    this.run?.to.delete(endpoint);
  }

  private begin(): void {
    const to = new Set(this.asked);
    this.asked.clear();
    const { sequence, routes } = this.own;
    this.run = { id: ++this.lastId, to, sequence, routes: [...routes.values()], at: 0, part: 0 };
    this.step();
  }

  private step(): void {
    const { run } = this;
    if (run === null) return;
    if (run.to.size > 0) this.sendPart(run);
    else run.at = run.routes.length;
    if (run.at < run.routes.length) {
      this.clock.nextTurn(() => this.step());
      return;
    }
    this.run = null;
    if (this.asked.size > 0) this.clock.nextTurn(() => this.beginAsked());
  }

  private beginAsked(): void {
    if (this.run === null && this.asked.size > 0) this.begin();
  }

  private sendPart(run: Run): void {
    const writer = new FrameWriter();
    beginSnapshotPart(writer, run.id, run.part++, run.sequence);
    while (run.at < run.routes.length && writer.length < routesBytesMax) {
      const { change, entry } = run.routes[run.at++];
      writeChange(writer, change);
      // A filter with subscribers of both kinds; one with durable subscribers alone is told by its kind.
      if (change.kind === 'add' && entry !== null && entry.log !== null && entry.logged.length > 0)
        writeChange(writer, { kind: 'durable', filter: change.filter, count: entry.log.lastSequence });
    }
    if (run.at === run.routes.length) markLast(writer);
    const bytes = writer.take();
    for (const endpoint of run.to) this.send(endpoint, bytes);
  }
}
