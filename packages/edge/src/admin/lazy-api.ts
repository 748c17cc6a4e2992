import type { IncomingMessage, ServerResponse } from 'node:http';
import { codeOf, type StoreParts } from '@dunlin/broker/ports';
import type { Api } from '../api/api.ts';
import type { ApiNodeParts } from '../api/api-node.ts';
import type { Ask } from '../api/gathering.ts';
import { SecretFile } from '../secret-file.ts';

export interface LazyApiParts extends Omit<ApiNodeParts, 'store' | 'gathering' | 'fileKey'> {
  /** The supervisor's view of the store. Throws StoreError `unavailable` while the node starts. */
  store: () => StoreParts;
  ask: Ask;
}

/** The administration API, which is loaded by the first request to it: a node that nobody asks starts without. */
export class LazyApi {
  readonly #parts: LazyApiParts;
  #loaded: Promise<Api> | null = null;
  #store: StoreParts | null = null;
  /** Count that outlives an API whose store has gone. */
  readonly #refused = { count: 0 };

  constructor(parts: LazyApiParts) {
    this.#parts = parts;
  }

  /** Wrong keys since the start. */
  get keysRefused(): number {
    return this.#refused.count;
  }

  /** Answers a request; `isOwnUser`: it came through the control socket. Never rejects. */
  readonly answer = async (request: IncomingMessage, response: ServerResponse, isOwnUser: boolean): Promise<void> => {
    const api = await this.#api(response);
    await api?.answer(request, response, isOwnUser);
  };

  /** True if the request shows a key; otherwise it was answered. Never rejects. */
  readonly admits = async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    const api = await this.#api(response);
    return api !== null && (await api.admits(request, response));
  };

  /** Null: the node is not so far, and the request was answered. */
  async #api(response: ServerResponse): Promise<Api | null> {
    try {
      const store = this.#parts.store();
      // The store of a lone worker may be that of its successor.
      if (this.#store !== store) {
        this.#store = store;
        this.#loaded = load(this.#parts, store, this.#refused);
      }
      return await (this.#loaded as Promise<Api>);
    } catch (error) {
      const status = codeOf(error) === 'unavailable' ? 503 : 500;
      const { message: detail } = error as Error;
      response.writeHead(status, { 'content-type': 'application/problem+json', 'cache-control': 'no-store' });
      response.end(`${JSON.stringify({ type: 'about:blank', title: 'Not now', status, detail })}\n`);
      return null;
    }
  }
}

async function load({ ask, ...parts }: LazyApiParts, store: StoreParts, refused: { count: number }): Promise<Api> {
  const [{ Api }, { ApiNode }, { Gathering }] = await Promise.all([
    import('../api/api.ts'),
    import('../api/api-node.ts'),
    import('../api/gathering.ts'),
  ]);
  const { nodeId, admin } = parts.configuration;
  const gathering = new Gathering(ask, nodeId);
  const file = new SecretFile(admin.keyFile, 'the administration API', parts.logger);
  const fileKey = async (): Promise<string | null> => (await file.readText())?.trim() ?? null;
  return new Api(new ApiNode({ ...parts, store, gathering, fileKey }), refused);
}
