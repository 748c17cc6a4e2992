import { dropReasons } from './metrics.ts';

/** Fates that a worker remembers: some 200 bytes each, beside identifiers that are kept anyway. */
export const fatesMax = 4096;

/** Ends of a message: a delivery, which is sampled, or a reason for which it was dropped. */
export const fateKinds = ['delivered', ...dropReasons] as const;

/** End of a message. */
export interface FateRecord {
  /** Milliseconds since 1970. */
  at: number;
  fate: (typeof fateKinds)[number];
  /** The beginning of a long one. */
  topic: string;
  qos: number;
  /** Receiver; empty: none in particular. */
  client: string;
  /** Empty: not known, or not a client. */
  publisher: string;
}

/** The last fates of a client, as receiver or publisher, and of topics that match a filter. Empty texts match all. */
export interface FatesQuery {
  kind: 'fates';
  clientId: string;
  filter: string;
  limit: number;
}
