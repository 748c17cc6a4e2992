/**
 * Assignments of one shared group: the leader's record of which endpoint has which message. It holds numbers only; the
 * content is in the log.
 */
import type { EndpointId } from '../ports/endpoint-id.ts';

interface Assignee {
  /** The endpoint has sent its first status of this epoch. */
  isAnswered: boolean;
  /** Messages of this epoch that were assigned to it, and the highest count that it accepts. */
  assigned: number;
  limit: number;
  /** Bytes of its messages that are not finished. */
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
  /** Limit of the bytes under way to one endpoint: messages that its members have no room for wait there in memory. */
  private readonly bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Asks all of these endpoints for a first status; answers of others are no longer expected. */
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

  /** The endpoint was asked, or has answered. */
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

  /** Ends the assignment of a message, to whichever endpoint it was. */
  remove(sequence: number): void {
    const assignment = this.inFlight.get(sequence);
    if (assignment === undefined) return;
    this.inFlight.delete(sequence);
    const assignee = this.assignees.get(assignment.endpoint);
    if (assignee !== undefined) assignee.bytes = Math.max(0, assignee.bytes - assignment.bytes);
  }

  /** Ends the assignment to this endpoint. False: there was none, as far as the leader knows. */
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

  /**
   * Ends all assignments to an endpoint that is gone. Those of QoS 2 are doubtful: a client may have the message
   * already.
   */
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
