import type { Backplane, BackplaneReceiver } from '../ports/backplane.ts';
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';

/** Event that one endpoint is to be told, in order. */
type Event =
  | { kind: 'joined' | 'left'; endpoint: EndpointId }
  | { kind: 'bytes'; endpoint: EndpointId; bytes: Uint8Array };

/**
 * Endpoints within one thread: the reference implementation, for tests and the simulation. Everything an endpoint hears goes through one
 * queue of its own and is delivered in a later turn, so that no call of one broker runs inside a call of another.
 */
export class MemoryBackplaneHub {
  readonly clock: Clock;
  readonly members = new Map<EndpointId, MemoryBackplane>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** An endpoint that is not there until it is started. */
  endpoint(self: EndpointId): MemoryBackplane {
    return new MemoryBackplane(this, self);
  }
}

export class MemoryBackplane implements Backplane {
  readonly self: EndpointId;
  readonly #hub: MemoryBackplaneHub;
  #receiver: BackplaneReceiver | null = null;
  #queue: Event[] = [];
  #scheduled = false;

  constructor(hub: MemoryBackplaneHub, self: EndpointId) {
    this.#hub = hub;
    this.self = self;
  }

  async start(receiver: BackplaneReceiver): Promise<void> {
    this.#receiver = receiver;
    for (const other of this.#hub.members.values()) {
      // First there, so that what this endpoint sends when it hears of the other comes after it.
      other.#enqueue({ kind: 'joined', endpoint: this.self });
      receiver.endpointJoined(other.self);
    }
    this.#hub.members.set(this.self, this);
  }

  async stop(): Promise<void> {
    this.kill();
  }

  /** Gone at once, as by a crash. What it had sent is still delivered. */
  kill(): void {
    this.#receiver = null;
    this.#queue = [];
    if (!this.#hub.members.delete(this.self)) return;
    for (const other of this.#hub.members.values()) other.#enqueue({ kind: 'left', endpoint: this.self });
  }

  send(to: EndpointId, bytes: Uint8Array): void {
    const receiver = this.#receiver === null ? undefined : this.#hub.members.get(to);
    if (receiver !== undefined) receiver.#enqueue({ kind: 'bytes', endpoint: this.self, bytes: new Uint8Array(bytes) });
  }

  broadcast(bytes: Uint8Array): void {
    if (this.#receiver === null) return;
    for (const other of this.#hub.members.values()) {
      if (other !== this) other.#enqueue({ kind: 'bytes', endpoint: this.self, bytes: new Uint8Array(bytes) });
    }
  }

  #enqueue(event: Event): void {
    this.#queue.push(event);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#hub.clock.nextTurn(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    const events = this.#queue;
    this.#queue = [];
    for (const event of events) {
      // Stopped by what it just heard: the rest is for nobody.
      const receiver = this.#receiver;
      if (receiver === null) return;
      if (event.kind === 'bytes') receiver.received(event.endpoint, event.bytes);
      else if (event.kind === 'joined') receiver.endpointJoined(event.endpoint);
      else receiver.endpointLeft(event.endpoint);
    }
  }
}
