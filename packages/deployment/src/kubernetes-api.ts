import { request } from 'node:https';
import type { KubernetesObject } from './helm.ts';

/** An answer of the API server. */
export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
}

/** An answer that is an error. */
export class ApiError extends Error {
  constructor(method: string, path: string, { status, text }: ApiAnswer) {
    super(`${method} ${path}: ${status} ${text}`);
    this.name = 'ApiError';
  }
}

/** A request that takes longer hangs. */
const requestMilliseconds = 30_000;

/** Requests to an API server on loopback, as an administrator. */
export class KubernetesApi {
  readonly #port: number;
  readonly #token: string;
  readonly #authority: string;

  constructor(port: number, token: string, authority: string) {
    this.#port = port;
    this.#token = token;
    this.#authority = authority;
  }

  /** Sends one request and returns any answer. A body that is text is sent as YAML. */
  request(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    const isText = typeof body === 'string';
    const type = method === 'PATCH' ? 'application/merge-patch+json' : isText ? 'application/yaml' : 'application/json';
    const bytes = Buffer.from(body === undefined ? '' : isText ? body : JSON.stringify(body));
    const { promise, resolve, reject } = Promise.withResolvers<ApiAnswer>();
    const sent = request({
      host: '127.0.0.1',
      port: this.#port,
      path,
      method,
      ca: this.#authority,
      timeout: requestMilliseconds,
      // Without its length, the body of a DELETE would be taken for the next request.
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': type, 'content-length': bytes.length },
    });
    sent.on('error', reject);
    sent.on('timeout', () => sent.destroy(new ApiError(method, path, { status: 0, text: 'no answer in time' })));
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
      });
      response.on('error', reject);
    });
    sent.end(bytes);
    return promise;
  }

  /** Sends one request that must succeed. @throws ApiError */
  async call(method: string, path: string, body?: unknown): Promise<KubernetesObject> {
    const answer = await this.request(method, path, body);
    if (answer.status >= 300) throw new ApiError(method, path, answer);
    return JSON.parse(answer.text) as KubernetesObject;
  }

  /** The objects at a path that is a list. @throws ApiError */
  async list(path: string): Promise<KubernetesObject[]> {
    const { items } = await this.call('GET', path);
    return items as KubernetesObject[];
  }
}
