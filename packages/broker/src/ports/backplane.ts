/**
 * Port: how endpoints reach each other. Message ports inside a node; NATS between nodes.
 *
 * Contract, checked by `contract/backplane-contract.ts`:
 * - Bytes from one endpoint to another arrive in the order sent, at most once, each whole. They may be lost only when an endpoint dies or the carrier does;
 *   what must not be lost is repeated by the link above (cluster/link.ts).
 * - `send` and `broadcast` never throw and never wait; the bytes belong to the backplane afterwards (the caller does not change them).
 * - `endpointJoined` is called once for each endpoint before any bytes from it are delivered; `endpointLeft` once it is known to be dead or gone,
 *   after the last bytes from it. An endpoint that starts again has a new incarnation, so a new name.
 */
import type { EndpointId } from './store.ts';

export interface BackplaneReceiver {
  endpointJoined(endpoint: EndpointId): void;
  endpointLeft(endpoint: EndpointId): void;
  received(from: EndpointId, bytes: Uint8Array): void;
}

export interface Backplane {
  readonly self: EndpointId;
  /** Joins; resolves once every endpoint that was there before has been reported to the receiver. */
  start(receiver: BackplaneReceiver): Promise<void>;
  stop(): Promise<void>;
  send(to: EndpointId, bytes: Uint8Array): void;
  /** To every live endpoint but this one. */
  broadcast(bytes: Uint8Array): void;
}
