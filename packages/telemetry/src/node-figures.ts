/** Reasons for which a node may be not ready for clients, in the order in which they are told. */
export const notReadyReasons = [
  'starting',
  'store',
  'store-writes',
  'backplane',
  'routes',
  'workers',
  'memory',
  'cordoned',
  'draining',
] as const;
export type NotReadyReason = (typeof notReadyReasons)[number];

/** End of the time in which a listener can show clients a valid certificate. */
export interface CertificateEnd {
  /** Its name. */
  listener: string;
  /** Seconds since 1970. */
  endsAt: number;
}

/** Figures of a node that the supervisor has when it is asked for metrics. */
export interface NodeFigures {
  version: string;
  /** `v26.1.0` */
  runtime: string;
  /** Seconds since 1970. */
  startedAt: number;
  isReady: boolean;
  /** Reasons why the node is not ready; empty: it is. */
  notReady: readonly NotReadyReason[];
  /** Workers that accept connections. */
  listening: number;
  /** Workers that died and were replaced. */
  replaced: number;
  /** Sockets and files that the process has open, and may have; null where the system does not tell. */
  openFiles: { open: number; max: number } | null;
  /** Connections that all workers together accept at most. */
  connectionsMax: number;
  /** Ends of certificates, one for each listener with TLS. */
  certificateEnds: readonly CertificateEnd[];
  /** Records of the audit log that were not written. */
  auditDropped: number;
  /** Requests to the administration API with a wrong key. */
  adminKeysRefused: number;
  /** Memory limit of the process: the limit of its container, else the memory of the machine. */
  memoryLimitBytes: number;
  residentBytes: number;
  /** Memory without mapped files, as the marks of memory see it. */
  anonymousBytes: number;
  /**
   * Heap in use, and buffers outside of it, of threads that are no workers. `NodeMetrics` adds what the workers have.
   */
  heapBytes: number;
  externalBytes: number;
  cpuUserSeconds: number;
  cpuSystemSeconds: number;
}
