/**
 * Port: how endpoints reach each other. Message ports inside a node; NATS between nodes.
 *
 * Contract, checked by `contract/backplane-contract.ts`:
 * - Bytes from one endpoint to another arrive in the order sent, sent and broadcast alike, at most once, each whole. Any of them may be lost, at any time and
 *   without a word: what must not be lost is repeated above (cluster/link.ts, cluster/routes.ts). Losing is dear, though: it costs delays and repetition.
 * - Most are below 64 KiB. One message, or the answer to a takeover, may be larger than any packet that the broker takes: a carrier with a limit of its own
 *   has to cut it and put it together again.
 * - `send` and `broadcast` never throw and never wait; the bytes are the caller's again when they return: a backplane that keeps them makes a copy.
 * - `endpointJoined` is called once for each endpoint before any bytes from it are delivered; `endpointLeft` once it is known to be dead or gone,
 *   after the last bytes from it. An endpoint that starts again has a new incarnation, so a new name.
 */
import type { EndpointId } from './endpoint-id.ts';

export interface BackplaneReceiver {
  endpointJoined(endpoint: EndpointId): void;
  endpointLeft(endpoint: EndpointId): void;
  received(from: EndpointId, bytes: Uint8Array): void;
  /** The carrier was lost and is back: bytes in both directions may be missing. Nobody is told to have left by this alone. */
  reconnected(): void;
}

export interface Backplane {
  readonly self: EndpointId;
  /** Joins; resolves once every endpoint that was there before has been reported to the receiver. */
  start(receiver: BackplaneReceiver): Promise<void>;
  stop(): Promise<void>;
  send(to: EndpointId, bytes: Uint8Array): void;
  /** Sends to every live endpoint but this one. */
  broadcast(bytes: Uint8Array): void;
}
