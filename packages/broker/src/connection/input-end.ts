/**
 * The end of what a client sends: DISCONNECT, or the end of its stream. Packets before it take effect first, within a
 * bound (connection-deadlines.ts).
 */
import { ConnectionState } from '../output/connection-state.ts';
import type { KeepAlive, KeepAliveEntry } from './keep-alive.ts';

/**
 * Time for packets that arrived before DISCONNECT, or before the client closed its connection, to take effect: longer
 * than a failover of a store or a node, but bounded.
 */
const waitSeconds = 30;

export interface InputEndOwner extends KeepAliveEntry {
  /** ConnectionState. */
  readonly state: number;
  readonly holding: { readonly isOn: boolean; readonly hasHeld: boolean };
  /** Called when nothing waits for the socket any more. */
  drained(): void;
  /** Sends what there is to send, and closes. */
  end(): void;
  /** Ends the connection, whose transport is gone. */
  closed(error?: Error): void;
}

export class InputEnd {
  /** Second since which the client sends nothing more, while earlier packets have to take effect; 0: none. */
  sinceSecond = 0;
  /** The client has closed its side; packets before that are being handled. */
  isOfStream = false;
  /** True when nothing can be sent to the client any more. */
  private isTransportGone = false;
  private readonly connection: InputEndOwner;
  private readonly keepAlive: KeepAlive;

  constructor(connection: InputEndOwner, keepAlive: KeepAlive) {
    this.connection = connection;
    this.keepAlive = keepAlive;
  }

  /** Second by which packets before the end have to have taken effect. */
  get deadlineSecond(): number {
    return this.sinceSecond + waitSeconds;
  }

  /** CONNACK is sent: the time counts from now, not from CONNECT. */
  connected(): void {
    if (this.sinceSecond > 0) this.sinceSecond = Math.max(this.keepAlive.nowSecond, 1);
  }

  /**
   * The transport is closed, by either side. A client that has sent everything and then closed (FIN, not a reset) may
   * expect its packets to take effect: they do first, although no answer can be sent any more (MQTT 5 section 3.1.4: a
   * client need not wait for CONNACK).
   */
  transportClosed(error?: Error): void {
    const { connection } = this;
    if (connection.state === ConnectionState.closed || this.isTransportGone) return;
    if (error !== undefined || !this.hasWaiting) {
      connection.closed(error);
      return;
    }
    this.isTransportGone = true;
    this.isOfStream = true;
    connection.drained();
    this.reached();
  }

  /**
   * The client has closed its side and may still read: its packets are answered, and its connection is closed when they
   * have taken effect, so that it finds them so when it connects anew. False: nothing is pending.
   */
  streamEnded(): boolean {
    const { connection } = this;
    if (connection.state === ConnectionState.closed) return false;
    if (!this.hasWaiting) {
      connection.end();
      return false;
    }
    this.isOfStream = true;
    this.reached();
    return true;
  }

  /** The client sends nothing more, and its packets wait: for a bounded time. */
  reached(): void {
    if (this.sinceSecond > 0) return;
    this.sinceSecond = Math.max(this.keepAlive.nowSecond, 1);
    // Before CONNACK the deadline of CONNECT applies already.
    if (this.connection.state === ConnectionState.connected) this.keepAlive.watch(this.connection, this.deadlineSecond);
  }

  private get hasWaiting(): boolean {
    const { state, holding } = this.connection;
    return holding.isOn || (state === ConnectionState.connecting && holding.hasHeld);
  }
}
