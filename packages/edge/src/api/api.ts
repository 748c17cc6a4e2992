import type { IncomingMessage, ServerResponse } from 'node:http';
import { codeOf } from '@dunlin/broker/ports';
import { textOf } from '../admin/control-socket.ts';
import { endpoints } from './all-endpoints.ts';
import { allowedOf } from './allowed.ts';
import type { ApiNode } from './api-node.ts';
import type { Endpoint, Sender } from './endpoint.ts';
import { FailedKeys } from './failed-keys.ts';
import { refuseForeignPages } from './foreign-pages.ts';
import { covers } from './keys.ts';
import { ApiError, faultsOf, given, problemOf } from './problem.ts';

/** Longest body of a request: a message of the largest size as base64 has its own way in. */
const bodyBytesMax = 2 * 1024 * 1024;

/** Sender of what comes through the control socket: the user who runs the node. */
const ownUser: Sender = { name: 'control socket', scope: 'admin' };

interface Route {
  readonly pattern: RegExp;
  readonly endpoint: Endpoint;
}

/** Rows with the patterns of their paths: texts before those with parts in braces, so that a row for one name comes first. */
const routes: readonly Route[] = endpoints.map((endpoint) => ({
  pattern: new RegExp(`^${endpoint.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
  endpoint,
}));

/** Answers requests to `/api/`. */
export class Api {
  readonly #node: ApiNode;
  readonly #refused: { count: number };
  readonly #failedKeys = new FailedKeys();

  /** `refused`: where wrong keys are counted. */
  constructor(node: ApiNode, refused: { count: number }) {
    this.#node = node;
    this.#refused = refused;
  }

  /** `isOwnUser`: the request came through the control socket. Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse, isOwnUser: boolean): Promise<void> {
    try {
      if (!isOwnUser) refuseForeignPages(request, this.#node.hosts);
      const sender = isOwnUser ? ownUser : await this.#senderOf(request);
      const answer = await this.#run(request, sender);
      send(response, 200, 'application/json', answer);
    } catch (error) {
      this.#refuse(response, error);
    }
  }

  /** True if the request shows a key that may read; otherwise it was answered. Never rejects. */
  async admits(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    try {
      await this.#senderOf(request);
      return true;
    } catch (error) {
      this.#refuse(response, error);
      return false;
    }
  }

  #refuse(response: ServerResponse, error: unknown): void {
    if (response.destroyed) return; // who asked is gone
    if (error instanceof ApiError) {
      send(response, error.status, 'application/problem+json', problemOf(error.status, error.message), error.headers);
      return;
    }
    // The store is away, or a fault of ours: the log has more than the answer.
    const isAway = ['unavailable', 'closed', 'no-answer'].includes(codeOf(error) ?? '');
    if (!isAway) this.#node.failed(error);
    const detail = isAway
      ? `it cannot be answered now: ${(error as Error).message}`
      : 'the request failed; the log of the node says why';
    send(response, isAway ? 503 : 500, 'application/problem+json', problemOf(isAway ? 503 : 500, detail));
  }

  async #senderOf(request: IncomingMessage): Promise<Sender> {
    const address = request.socket.remoteAddress ?? '';
    const now = Date.now();
    const [, key] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
    if (key === undefined)
      throw new ApiError(401, 'given no key, allowed: the header "Authorization: Bearer KEY"', challenge);
    // Also from an address that guesses: operators may share it, and a key has too many bits to be guessed.
    const sender = await this.#node.keys.senderOf(key);
    if (sender !== null) return sender;
    const seconds = this.#failedKeys.waitSeconds(address, now);
    if (seconds > 0)
      throw new ApiError(429, `too many wrong keys came from this address: wait ${seconds} s`, {
        'retry-after': String(seconds),
      });
    this.#failedKeys.failed(address, now);
    this.#refused.count++;
    this.#node.keyRefused(address);
    throw new ApiError(
      401,
      'given a key that is not known, or was revoked; `dunlin keys list` shows those that hold',
      challenge,
    );
  }

  async #run(request: IncomingMessage, sender: Sender): Promise<unknown> {
    const url = new URL(request.url ?? '', 'http://node');
    const { endpoint, parts } = routeOf(request.method ?? '', url.pathname);
    if (!covers(sender.scope, endpoint.scope))
      throw new ApiError(
        403,
        `given a key with the scope ${sender.scope}, allowed: the scope ${endpoint.scope}${endpoint.scope === 'admin' ? '' : ' or above'}`,
      );
    const query = checked(endpoint.query, queryOf(url), 'query');
    const body = await bodyOf(request, endpoint);
    const answer = await endpoint.handle(this.#node, { sender, path: parts, query, body });
    if (endpoint.change !== null)
      this.#node.changed(endpoint.change, sender.name, {
        ...parts,
        ...(url.searchParams.size > 0 ? { query: url.search } : {}),
      });
    return answer;
  }
}

const challenge = { 'www-authenticate': 'Bearer' };

function routeOf(method: string, path: string): { endpoint: Endpoint; parts: Record<string, string> } {
  const methods: string[] = [];
  for (const { pattern, endpoint } of routes) {
    const match = pattern.exec(path);
    if (match === null) continue;
    if (endpoint.method !== method) methods.push(endpoint.method);
    else return { endpoint, parts: decoded(match.groups ?? {}) };
  }
  if (methods.length === 0)
    throw new ApiError(404, `given ${path.slice(0, 200)}, allowed: the paths of /api/v1/openapi.json`);
  const allow = methods.join(', ');
  throw new ApiError(405, `given ${method}, allowed: ${allow}`, { allow });
}

function decoded(groups: Record<string, string>): Record<string, string> {
  const parts: Record<string, string> = {};
  for (const [name, value] of Object.entries(groups)) {
    try {
      parts[name] = decodeURIComponent(value);
    } catch {
      throw new ApiError(400, `${name}: given ${given(value)}, allowed: UTF-8, percent-encoded`);
    }
  }
  return parts;
}

/** Parameters of a query; one that is given twice is a list, which no endpoint takes. */
function queryOf(url: URL): Record<string, unknown> {
  const query: Record<string, unknown> = {};
  for (const name of new Set(url.searchParams.keys())) {
    const values = url.searchParams.getAll(name);
    query[name] = values.length === 1 ? values[0] : values;
  }
  return query;
}

function checked(schema: NonNullable<Endpoint['body']>, input: unknown, where: 'query' | 'body'): unknown {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new ApiError(400, `${where}: ${faultsOf(result.error, input, (name) => allowedOf(schema, name))}`);
}

async function bodyOf(request: IncomingMessage, { body, method }: Endpoint): Promise<unknown> {
  let text: string;
  try {
    text = await textOf(request, bodyBytesMax);
  } catch (error) {
    if (error instanceof RangeError) throw new ApiError(413, `body: ${error.message}, allowed: ${bodyBytesMax}`);
    throw error;
  }
  if (body === null) {
    if (text !== '' && method !== 'GET')
      throw new ApiError(400, `body: given ${text.length} characters, allowed: none`);
    return null;
  }
  // A page of another origin can send every other type without asking.
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type))
    throw new ApiError(415, `Content-Type: given ${given(type)}, allowed: application/json`);
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch (error) {
    throw new ApiError(400, `body: given ${given(text)}, allowed: JSON (${(error as Error).message})`);
  }
  return checked(body, input, 'body');
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(`${JSON.stringify(body)}\n`);
}
