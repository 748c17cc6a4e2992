/** Why a node may be not ready for clients, in the order in which reasons are told. */
export const notReadyReasons = [
  'starting',
  'store',
  'store-writes',
  'backplane',
  'routes',
  'workers',
  'draining',
] as const;
export type NotReadyReason = (typeof notReadyReasons)[number];

/** Until when a listener can show clients a certificate that holds. */
export interface CertificateEnd {
  /** Its name. */
  listener: string;
  /** Seconds since 1970. */
  endsAt: number;
}

/** What the supervisor knows of a node when it is asked for metrics. */
export interface NodeFigures {
  version: string;
  /** `v26.1.0` */
  runtime: string;
  /** Seconds since 1970. */
  startedAt: number;
  isReady: boolean;
  /** Why it is not ready; empty: it is. */
  notReady: readonly NotReadyReason[];
  /** Workers that accept connections. */
  listening: number;
  /** Workers that died and were replaced. */
  replaced: number;
  /** Sockets and files that the process has open, and may have; null where the system does not tell. */
  openFiles: { open: number; max: number } | null;
  /** Connections that all workers together accept at most. */
  connectionsMax: number;
  /** One for each listener with TLS. */
  certificateEnds: readonly CertificateEnd[];
  /** What the process may use: the limit of its container, else the memory of the machine. */
  memoryLimitBytes: number;
  residentBytes: number;
  /** Of its threads that are no workers: heap in use, and buffers outside of it. `NodeMetrics` adds what the workers have. */
  heapBytes: number;
  externalBytes: number;
  cpuUserSeconds: number;
  cpuSystemSeconds: number;
}
