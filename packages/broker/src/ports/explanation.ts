/** Explanations of what would become of a message, as they travel between nodes. */
import type { DisconnectRecord } from './client-record.ts';

/** Would this client get a message on this topic now, and if not, why? */
export interface ExplainQuery {
  kind: 'explain';
  clientId: string;
  topic: string;
  /** Client identifier of the publisher; empty: nobody in particular, under no rules. */
  publisher: string;
  qos: 0 | 1 | 2;
  retain: boolean;
  payloadBytes: number;
}

/** The same of a client that is not connected to any node. `address`: that of its last connection; empty: none is known. */
export interface ExplainAwayQuery extends Omit<ExplainQuery, 'kind'> {
  kind: 'explain-away';
  address: string;
}

/**
 * Outcome of a check. `failed`: the message does not get past it; `waits`: not now, and it is kept; `chance`: another
 * client may get it instead; `note`: it decides nothing.
 */
export const explainOutcomes = ['passed', 'failed', 'waits', 'chance', 'note'] as const;
export type ExplainOutcome = (typeof explainOutcomes)[number];

/** A check that was made, and what it said in a sentence. */
export interface ExplainStep {
  check: string;
  outcome: ExplainOutcome;
  text: string;
}

/**
 * `yes`: it gets the message now; `later`: the message is kept for it; `chance`: it is one of several members of a shared
 * group; `no`; `unknown`: a node that may know did not answer.
 */
export const explainVerdicts = ['yes', 'later', 'chance', 'no', 'unknown'] as const;
export type ExplainVerdict = (typeof explainVerdicts)[number];

export interface Explanation {
  verdict: ExplainVerdict;
  steps: ExplainStep[];
}

/** Answer of one worker. Null: the client is not connected there. */
export interface ExplainAnswer {
  receiver: Explanation | null;
  publisher: Explanation | null;
  lastDisconnect: DisconnectRecord | null;
  publisherLastDisconnect: DisconnectRecord | null;
}
