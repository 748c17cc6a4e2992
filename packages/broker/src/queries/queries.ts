import type { Query } from '../ports/client-record.ts';

/** Answers a question of one kind; rejects with what is wrong with it. */
export type QueryHandler<Kind extends Query['kind']> = (query: Extract<Query, { kind: Kind }>) => Promise<unknown>;

type AnyHandler = (query: Query) => Promise<unknown>;

/**
 * Questions to this worker by kind. A body is a Query as JSON; an answer is `{"value":…}`, `{"error":…}`, or
 * `{"unknown":KIND}` of a release that does not know the question.
 */
export class Queries {
  private readonly handlers = new Map<string, AnyHandler>();

  add<Kind extends Query['kind']>(kind: Kind, handler: QueryHandler<Kind>): void {
    this.handlers.set(kind, handler as AnyHandler);
  }

  /** Never rejects. */
  async answer(body: string): Promise<string> {
    try {
      const query = JSON.parse(body) as Query;
      const handler = this.handlers.get(query.kind);
      if (handler === undefined) return JSON.stringify({ unknown: String(query.kind) });
      return JSON.stringify({ value: (await handler(query)) ?? null });
    } catch (error) {
      return JSON.stringify({ error: error instanceof Error ? error.message : String(error) });
    }
  }
}
