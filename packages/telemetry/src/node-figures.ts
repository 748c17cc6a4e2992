/** What the supervisor knows of a node when it is asked for metrics. */
export interface NodeFigures {
  version: string;
  /** `v26.1.0` */
  runtime: string;
  /** Seconds since 1970. */
  startedAt: number;
  isReady: boolean;
  /** Workers that accept connections. */
  listening: number;
  /** Workers that died and were replaced. */
  replaced: number;
  residentBytes: number;
  externalBytes: number;
  cpuUserSeconds: number;
  cpuSystemSeconds: number;
}
