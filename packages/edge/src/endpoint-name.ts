import type { EndpointId } from '@dunlin/broker';

/** Names of the endpoints of one node: `nodeId/workerIndex#incarnation`. */
export class EndpointNames {
  readonly #nodeId: string;
  #incarnation = 0;

  constructor(nodeId: string) {
    this.#nodeId = nodeId;
  }

  /** A new name for a worker. Incarnations are start times in milliseconds, and grow also when two starts fall on one, or the clock steps back. */
  next(workerIndex: number): EndpointId {
    this.#incarnation = Math.max(this.#incarnation + 1, Date.now());
    return `${this.#nodeId}/${workerIndex}#${this.#incarnation}`;
  }
}
