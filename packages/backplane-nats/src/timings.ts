/**
 * Time spans of this package, each once and with its reason. They depend on each other:
 *
 *     kill -9 ─┬─ 2,500 suspected ─┬─ 3,000 its lease is over at the latest ─┬─ asked again: evicted, left ─┬─ 5,000 promised
 *              └ last heartbeat    └ first question, answered "lives"        └ by 3,750                     ┘
 */
export interface Timings {
  /** Interval of heartbeats: five may be lost before an endpoint is suspected. */
  heartbeatMilliseconds: number;
  /** Interval of renewals of the lease: two may fail. */
  renewMilliseconds: number;
  /**
   * Term of a lease that a renewal asks for. After it an endpoint that is cut off serves no durable session any more.
   */
  leaseMilliseconds: number;
  /** Silence after which the store is asked to evict an endpoint. Below the lease, so that the answer is early. */
  suspectMilliseconds: number;
  /** Interval of further questions while the silence lasts. An answer that takes longer counts as none. */
  askMilliseconds: number;
  /** Silence that suffices when the store cannot be asked. */
  lostMilliseconds: number;
  /**
   * Round trip to the server above which our own connection counts as silent: then the silence of others is not
   * counted. With a heartbeat interval it stays below `suspectMilliseconds`, so that a broken cable makes no endpoint
   * suspected.
   */
  roundTripMilliseconds: number;
  /**
   * Quiet time after which a new endpoint has heard all others: a local round trip takes below 1 ms, one between data
   * centres 100.
   */
  joinQuietMilliseconds: number;
  /** Time that a new endpoint waits at most, however many go on answering. Later ones are reported later. */
  joinMilliseconds: number;
  /**
   * Wait between attempts to reach NATS, plus a random part of the same length, so that a cluster does not reconnect
   * all at once.
   */
  connectMilliseconds: number;
  /** Time-out of one attempt to connect, TLS handshake and authorization included. */
  attemptMilliseconds: number;
  /**
   * Interval of pings of the client library, which regards the connection as broken at the third ping without an
   * answer. Answers come behind what is waiting to be sent: 64 MiB in 6 s is a slow network, not a broken one. Until
   * then `roundTripMilliseconds` keeps us careful.
   */
  pingMilliseconds: number;
  /** Interval at which the secret of the cluster is read again. */
  secretMilliseconds: number;
  /** Wait after wrong credentials: servers may lock out clients that try faster, and only an operator can help. */
  refusedMilliseconds: number;
  /** Time that a clean stop spends at most on its bye. */
  stopMilliseconds: number;
}

export const defaultTimings: Readonly<Timings> = {
  heartbeatMilliseconds: 500,
  renewMilliseconds: 1000,
  leaseMilliseconds: 3000,
  suspectMilliseconds: 2500,
  askMilliseconds: 1000,
  lostMilliseconds: 5000,
  roundTripMilliseconds: 1500,
  joinQuietMilliseconds: 250,
  joinMilliseconds: 2000,
  connectMilliseconds: 250,
  attemptMilliseconds: 3000,
  pingMilliseconds: 2000,
  secretMilliseconds: 5000,
  refusedMilliseconds: 5000,
  stopMilliseconds: 1000,
};
