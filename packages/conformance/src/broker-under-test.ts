/** The broker that the suite talks to. */
export interface BrokerUnderTest {
  /** Name of the broker; `unknown` when only its URL was given. */
  readonly name: 'dunlin' | 'mosquitto' | 'unknown';
  /** `mqtt://host:port` */
  readonly url: string;
  /** `ws://host:port/path`, when it takes WebSocket connections. */
  readonly webSocketUrl?: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    brokerUnderTest: BrokerUnderTest;
  }
}
