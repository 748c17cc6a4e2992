/** A message as a client program shows it. */
export interface ShownMessage {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain: boolean;
}

export interface Subscribing {
  readonly filter: string;
  readonly qos: 0 | 1 | 2;
  readonly clientId: string;
  /** The session outlives the connection. */
  readonly isDurable?: boolean;
}

/** A client that is connected and subscribed. */
export interface RealSubscriber {
  next(): Promise<ShownMessage>;
  /** The client ends, in the way that suits it; its session stays if it is durable. */
  leave(): Promise<void>;
}

/** Client library, or program, with one version of the protocol. Each method is a client of its own. */
export interface RealClient {
  readonly name: string;
  /** Publishes one message, and resolves when its handshake is through and the client has gone. */
  publish(url: string, message: ShownMessage): Promise<void>;
  subscribe(url: string, subscribing: Subscribing): Promise<RealSubscriber>;
  /** Connects with this will, and is gone without DISCONNECT as soon as it is connected. */
  dieLeavingWill(url: string, will: ShownMessage): Promise<void>;
}
