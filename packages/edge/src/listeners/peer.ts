import type { ClientCertificate } from '@dunlin/broker';

/** Peer as a trusted load balancer describes it in its PROXY header. */
export interface Peer {
  /** `203.0.113.7:51034`; empty: the client is whoever opened the connection, a health check for instance. */
  readonly address: string;
  /** The host that the client asked for; empty when nobody said. */
  readonly serverName: string;
  readonly clientCertificate: ClientCertificate | null;
}
