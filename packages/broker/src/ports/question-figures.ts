/** Questions to the HTTP service that decides on clients, as a worker counts them. */
import { Histogram, latencyBounds } from './histogram.ts';

/** Kinds of questions to the service. */
export const questionKinds = ['sign-in', 'rights'] as const;
export type QuestionKind = (typeof questionKinds)[number];

/**
 * `answered`: with a status that says something; `failed`: not in time, or with one that says nothing; `not-asked`: too many were under way, or the service was left
 * alone because it had failed.
 */
export const questionResults = ['answered', 'failed', 'not-asked'] as const;
export type QuestionResult = (typeof questionResults)[number];

/** Questions of one kind. */
export class QuestionFigures {
  readonly results: Record<QuestionResult, number> = { answered: 0, failed: 0, 'not-asked': 0 };
  /** Times from the question to its answer or failure. */
  readonly seconds = new Histogram(latencyBounds);
  /** 1 while the service is left alone, and until it has answered again; else 0. */
  circuitOpen = 0;
}

export type HttpFigures = Readonly<Record<QuestionKind, QuestionFigures>>;

export function newHttpFigures(): HttpFigures {
  return { 'sign-in': new QuestionFigures(), rights: new QuestionFigures() };
}
