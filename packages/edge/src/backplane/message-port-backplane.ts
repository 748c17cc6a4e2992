import type { MessagePort } from 'node:worker_threads';
import type { Backplane, BackplaneReceiver, EndpointId } from '@dunlin/broker';

/** The other end of a channel between two workers. */
export interface PeerPort {
  endpoint: EndpointId;
  port: MessagePort;
}

/**
 * Endpoints of one node over message ports, a channel for every pair of workers:
 *
 *        worker 0 ═══════ worker 1
 *            ╲               ╱
 *             ╲═ worker 2 ══╱
 *
 * The supervisor makes the channels and hands them out, at the start and again for a worker that is replaced. A channel closes with the thread
 * at its other end, after what that thread had sent: that is how an endpoint is known to be gone.
 *
 * Bytes are copied once into a buffer of their own, which is transferred. Measured, CPU of both sides: 3.6 µs at 100 bytes, 5 µs at 4 KiB, 12 µs at
 * 64 KiB; posting a slice without transfer costs the same up to 1 KiB and 34 µs at 64 KiB; posting a view of a larger buffer would copy all of it.
 */
export class MessagePortBackplane implements Backplane {
  readonly self: EndpointId;
  readonly #ports = new Map<EndpointId, MessagePort>();
  #receiver: BackplaneReceiver | null = null;
  #stopped = false;

  constructor(self: EndpointId, peers: readonly PeerPort[]) {
    this.self = self;
    for (const peer of peers) this.#ports.set(peer.endpoint, peer.port);
  }

  async start(receiver: BackplaneReceiver): Promise<void> {
    this.#receiver = receiver;
    for (const [endpoint, port] of [...this.#ports]) this.#open(endpoint, port, receiver);
  }

  /** Adds a worker that was started later. */
  join(peer: PeerPort): void {
    if (this.#stopped) {
      peer.port.close();
      return;
    }
    this.#ports.set(peer.endpoint, peer.port);
    if (this.#receiver !== null) this.#open(peer.endpoint, peer.port, this.#receiver);
  }

  #open(endpoint: EndpointId, port: MessagePort, receiver: BackplaneReceiver): void {
    receiver.endpointJoined(endpoint);
    port.on('close', () => {
      if (this.#stopped || !this.#ports.delete(endpoint)) return;
      receiver.endpointLeft(endpoint);
    });
    // Also starts the port: messages that came before wait in it.
    port.on('message', (bytes: Uint8Array) => {
      if (!this.#stopped) receiver.received(endpoint, bytes);
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const port of this.#ports.values()) port.close();
    this.#ports.clear();
  }

  /** True when there is a channel to this endpoint. */
  reaches(endpoint: EndpointId): boolean {
    return this.#ports.has(endpoint);
  }

  send(to: EndpointId, bytes: Uint8Array): void {
    const port = this.#ports.get(to);
    if (port !== undefined) post(port, bytes);
  }

  broadcast(bytes: Uint8Array): void {
    for (const port of this.#ports.values()) post(port, bytes);
  }
}

function post(port: MessagePort, bytes: Uint8Array): void {
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  port.postMessage(copy, [copy.buffer]);
}
