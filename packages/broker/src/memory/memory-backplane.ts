import type { Backplane, BackplaneReceiver } from '../ports/backplane.ts';
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';

/** Event for one endpoint, delivered in order. */
type Event =
  | { kind: 'joined' | 'left'; endpoint: EndpointId }
  | { kind: 'bytes'; endpoint: EndpointId; bytes: Uint8Array };

/**
 * Backplane within one thread: the reference implementation, for tests and the simulation. All events of an endpoint go
 * through a queue of its own and are delivered in a later turn, so that no call of one broker runs inside a call of
 * another.
 */
export class MemoryBackplaneHub {
  readonly clock: Clock;
  readonly members = new Map<EndpointId, MemoryBackplane>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Adds an endpoint, which is not there until it is started. */
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
      // It is there first, so that messages that it sends on hearing of the other come after that.
      other.#enqueue({ kind: 'joined', endpoint: this.self });
      receiver.endpointJoined(other.self);
    }
    this.#hub.members.set(this.self, this);
  }

  async stop(): Promise<void> {
    this.kill();
  }

  /** Ends an endpoint at once, as by a crash. Messages that it had sent are still delivered. */
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
      // The event has stopped the endpoint: the rest is dropped.
      const receiver = this.#receiver;
      if (receiver === null) return;
      if (event.kind === 'bytes') receiver.received(event.endpoint, event.bytes);
      else if (event.kind === 'joined') receiver.endpointJoined(event.endpoint);
      else receiver.endpointLeft(event.endpoint);
    }
  }
}
