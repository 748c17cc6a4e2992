/**
 * Every time span of this package, once, each with its reason. They hang together:
 *
 *     kill -9 ─┬─ 2,500 suspected ─┬─ 3,000 its lease is over at the latest ─┬─ asked again: evicted, left ─┬─ 5,000 promised
 *              └ last heartbeat    └ first question, answered "lives"        └ by 3,750                     ┘
 */
export interface Timings {
  /** An endpoint says that it lives so often: five may be lost before anybody wonders. */
  heartbeatMilliseconds: number;
  /** The lease is renewed so often: two renewals may fail. */
  renewMilliseconds: number;
  /**
   * Term of a lease that a renewal asks for. After it an endpoint that is cut off serves no durable session any more.
   */
  leaseMilliseconds: number;
  /** Silence after which the store is asked whether the endpoint is dead. Below the lease, so that the answer is early. */
  suspectMilliseconds: number;
  /** The store is asked again so often while the silence goes on. An answer that takes longer counts as none. */
  askMilliseconds: number;
  /** Silence that is enough by itself when the store cannot be asked. */
  lostMilliseconds: number;
  /** Our own connection counts as silent when a round trip to the server took longer: then nobody else's silence is counted.
   *  With a heartbeat interval it stays below `suspectMilliseconds`, so a dead cable makes nobody suspected. */
  roundTripMilliseconds: number;
  /** A new endpoint has heard everybody when no other has answered for so long: a local round trip takes below 1 ms, one between data
   *  centres 100. */
  joinQuietMilliseconds: number;
  /** A new endpoint waits no longer than this, however many go on answering. Who is later is reported later. */
  joinMilliseconds: number;
  /** Waits between attempts to reach NATS, plus a random part of the same length, so that a cluster does not come back all at once. */
  connectMilliseconds: number;
  /** Time-out of one attempt to connect, TLS handshake and authorization included. */
  attemptMilliseconds: number;
  /** The client library pings the server so often, and takes the connection for dead at the third ping without an answer. Answers come
   *  behind what is waiting to be sent: 64 MiB in 6 s is a slow network, not a dead one. Until then `roundTripMilliseconds` keeps us careful. */
  pingMilliseconds: number;
  /** The wait after wrong credentials: servers lock out who tries them faster, and only an operator can help. */
  refusedMilliseconds: number;
  /** Time that a clean stop spends at most on saying goodbye. */
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
  refusedMilliseconds: 5000,
  stopMilliseconds: 1000,
};
