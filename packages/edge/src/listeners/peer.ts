import type { ClientCertificate } from '@dunlin/broker';

/** Peer as a trusted load balancer describes it in its PROXY header. */
export interface Peer {
  /** `203.0.113.7:51034`; empty: the client is the peer itself, a health check for instance. */
  readonly address: string;
  /** The host that the client asked for; empty when it is unknown. */
  readonly serverName: string;
  readonly clientCertificate: ClientCertificate | null;
}
