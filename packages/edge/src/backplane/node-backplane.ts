import type { Backplane, BackplaneReceiver, EndpointId } from '@dunlin/broker';
import type { MessagePortBackplane } from './message-port-backplane.ts';

/**
 * Backplane of a worker: the other workers of its node over message ports, all others over the carrier between nodes.
 *
 *     worker 0 ══ ports ══ worker 1          An endpoint is reached in one way only, so what is sent and what is broadcast to it keep their order.
 *        ║                    ║              The carrier ignores the endpoints of this node, and
 *        ╚══════ NATS ════════╩════ workers of other nodes           workers that are started later are given to the local part.
 */
export class NodeBackplane implements Backplane {
  readonly self: EndpointId;
  readonly #local: MessagePortBackplane;
  readonly #remote: Backplane;

  constructor(local: MessagePortBackplane, remote: Backplane) {
    this.self = local.self;
    this.#local = local;
    this.#remote = remote;
  }

  async start(receiver: BackplaneReceiver): Promise<void> {
    await Promise.all([this.#local.start(receiver), this.#remote.start(receiver)]);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#local.stop(), this.#remote.stop()]);
  }

  send(to: EndpointId, bytes: Uint8Array): void {
    if (this.#local.reaches(to)) this.#local.send(to, bytes);
    else this.#remote.send(to, bytes);
  }

  broadcast(bytes: Uint8Array): void {
    this.#local.broadcast(bytes);
    this.#remote.broadcast(bytes);
  }
}
