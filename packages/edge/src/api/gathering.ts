import { type Asked, CodedError, type Query, type QueryAnswer } from '@dunlin/broker/ports';
import { ApiError } from './problem.ts';

/** Time in which nodes answer a question; later answers are not waited for. */
export const gatherMilliseconds = 2000;

/** Puts a question; rejects when no worker of this node can do it. */
export type Ask = (asked: Asked, body: string, milliseconds: number) => Promise<QueryAnswer[]>;

/** Answer of one worker. */
export interface Part<T> {
  node: string;
  worker: number;
  value: T;
}

export interface Missing {
  node: string;
  reason: string;
}

export interface Gathered<T> {
  parts: Part<T>[];
  incomplete: Missing[];
}

/** No worker of this node answers. */
export class GatheringError extends CodedError<'no-answer'> {
  constructor(message: string, options?: ErrorOptions) {
    super('no-answer', message, options);
  }
}

type Said<T> = { value: T } | { error: string } | { unknown: string };

/** Questions to the workers of all nodes, and their answers. */
export class Gathering {
  readonly #ask: Ask;
  readonly #nodeId: string;
  /** Workers of all nodes that answered last; 0: it is not known yet. */
  workers = 0;

  constructor(ask: Ask, nodeId: string) {
    this.#ask = ask;
    this.#nodeId = nodeId;
  }

  /** Asks all nodes, or one by its name. Rejects with ApiError where one of them says what is wrong with the question. */
  async all<T>(query: Query, node = ''): Promise<Gathered<T>> {
    const asked: Asked = node === '' ? { who: 'all' } : { who: 'node', node };
    let answers: QueryAnswer[];
    try {
      answers = await this.#ask(asked, JSON.stringify(query), gatherMilliseconds);
    } catch (error) {
      return { parts: [], incomplete: [{ node: this.#nodeId, reason: (error as Error).message }] };
    }
    if (answers.length === 0 && node !== '')
      throw new ApiError(404, `node: given "${node}", which is not there; GET /api/v1/nodes lists those that are`);
    const parts: Part<T>[] = [];
    const reasons = new Map<string, Set<string>>();
    for (const { endpoint, body } of answers) {
      const [, name, worker] = /^(.*)\/(\d+)(?:#\d+)?$/.exec(endpoint) ?? ['', this.#nodeId, '0'];
      const said = body === null ? null : (JSON.parse(body) as Said<T>);
      if (said !== null && 'error' in said) throw new ApiError(400, said.error);
      if (said !== null && 'value' in said) {
        parts.push({ node: name, worker: Number(worker), value: said.value });
        continue;
      }
      const reason =
        said === null
          ? `no answer within ${gatherMilliseconds} ms`
          : 'it runs a release that does not know this question';
      reasons.set(name, (reasons.get(name) ?? new Set()).add(reason));
    }
    if (node === '') this.workers = parts.length;
    return { parts, incomplete: [...reasons].map(([name, why]) => ({ node: name, reason: [...why].join(', ') })) };
  }

  /** Asks one worker of this node: for what each of them can do for all. Rejects with GatheringError or ApiError. */
  async one<T>(query: Query): Promise<T> {
    let answers: QueryAnswer[];
    try {
      answers = await this.#ask({ who: 'one' }, JSON.stringify(query), gatherMilliseconds);
    } catch (error) {
      throw new GatheringError((error as Error).message, { cause: error });
    }
    const body = answers[0]?.body ?? null;
    const said = body === null ? null : (JSON.parse(body) as Said<T>);
    if (said === null) throw new GatheringError(`no worker has answered within ${gatherMilliseconds} ms`);
    if ('value' in said) return said.value;
    throw new ApiError(400, 'error' in said ? said.error : 'unknown question');
  }
}
