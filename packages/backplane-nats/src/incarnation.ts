import type { EndpointId } from '@dunlin/broker';

/** The two parts of an endpoint's name `nodeId/workerIndex#incarnation`. */
export interface Incarnation {
  /** `nodeId/workerIndex`: the same after every restart. */
  readonly place: string;
  /** A number that grows at every start. */
  readonly number: number;
}

/** Null for a name of another form. */
export function parseIncarnation(endpoint: EndpointId): Incarnation | null {
  const at = endpoint.lastIndexOf('#');
  const digits = endpoint.slice(at + 1);
  if (at < 1 || !/^\d{1,16}$/.test(digits)) return null;
  const number = Number(digits);
  return Number.isSafeInteger(number) ? { place: endpoint.slice(0, at), number } : null;
}
