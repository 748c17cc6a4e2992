/**
 * Which messages of a shared group are in whose hands, as its leader knows it: numbers alone, their content is in the log.
 */
import type { EndpointId } from '../ports/store.ts';

interface Assignee {
  /** It has told what it holds. */
  isAnswered: boolean;
  /** Messages of this epoch that it was given, and up to where it takes more. */
  assigned: number;
  limit: number;
  /** Bytes of those that it was given and has not finished. */
  bytes: number;
}

interface Assignment {
  endpoint: EndpointId;
  isQos2: boolean;
  bytes: number;
}

export class GroupAssignments {
  private readonly assignees = new Map<EndpointId, Assignee>();
  private readonly inFlight = new Map<number, Assignment>();
  /** Bytes under way to one endpoint: what its members do not take at once waits there in memory. */
  private readonly bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** All are to tell what they hold; others are not known any more. */
  askAll(endpoints: readonly EndpointId[]): void {
    const known = new Set([...endpoints, ...this.assignees.keys()]);
    this.assignees.clear();
    for (const endpoint of known) this.ask(endpoint);
  }

  ask(endpoint: EndpointId): void {
    this.assignees.set(endpoint, { isAnswered: false, assigned: 0, limit: 0, bytes: 0 });
  }

  answered(endpoint: EndpointId): void {
    const assignee = this.assignees.get(endpoint);
    if (assignee !== undefined) assignee.isAnswered = true;
    else this.assignees.set(endpoint, { isAnswered: true, assigned: 0, limit: 0, bytes: 0 });
  }

  setLimit(endpoint: EndpointId, limit: number): void {
    const assignee = this.assignees.get(endpoint);
    if (assignee !== undefined) assignee.limit = limit;
  }

  /** Asked, or has answered. */
  isKnown(endpoint: EndpointId): boolean {
    return this.assignees.has(endpoint);
  }

  isAnswered(endpoint: EndpointId): boolean {
    return this.assignees.get(endpoint)?.isAnswered === true;
  }

  get isWaiting(): boolean {
    for (const { isAnswered } of this.assignees.values()) if (!isAnswered) return true;
    return false;
  }

  endpoints(): EndpointId[] {
    return [...this.assignees.keys()];
  }

  hasRoom = (endpoint: EndpointId): boolean => {
    const assignee = this.assignees.get(endpoint);
    return assignee?.isAnswered === true && assignee.assigned < assignee.limit && assignee.bytes < this.bytesMax;
  };

  has(sequence: number): boolean {
    return this.inFlight.has(sequence);
  }

  assign(endpoint: EndpointId, sequence: number, isQos2: boolean, bytes: number): void {
    this.inFlight.set(sequence, { endpoint, isQos2, bytes });
    const assignee = this.assignees.get(endpoint);
    if (assignee === undefined || bytes === 0) return;
    assignee.assigned++;
    assignee.bytes += bytes;
  }

  /** Whoever has it, it is done with. */
  remove(sequence: number): void {
    const assignment = this.inFlight.get(sequence);
    if (assignment === undefined) return;
    this.inFlight.delete(sequence);
    const assignee = this.assignees.get(assignment.endpoint);
    if (assignee !== undefined) assignee.bytes = Math.max(0, assignee.bytes - assignment.bytes);
  }

  /** The endpoint does not have it any more. False: it never had, as far as is known here. */
  unassign(endpoint: EndpointId, sequence: number): boolean {
    if (this.inFlight.get(sequence)?.endpoint !== endpoint) return false;
    this.remove(sequence);
    return true;
  }

  numbersAt(endpoint: EndpointId): number[] {
    const found: number[] = [];
    for (const [sequence, assignment] of this.inFlight) if (assignment.endpoint === endpoint) found.push(sequence);
    return found;
  }

  /** The endpoint is gone: what it had. QoS 2 is doubtful: it may be a client's already. */
  left(endpoint: EndpointId): { certain: number[]; doubtful: number[] } {
    const certain: number[] = [];
    const doubtful: number[] = [];
    for (const sequence of this.numbersAt(endpoint)) {
      (this.inFlight.get(sequence)?.isQos2 === true ? doubtful : certain).push(sequence);
      this.inFlight.delete(sequence);
    }
    this.assignees.delete(endpoint);
    return { certain, doubtful };
  }
}
