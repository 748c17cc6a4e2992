import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { NodeStatus } from '../node-status.ts';
import { ConnectionPlaces } from './connection-places.ts';
import type { LazyApi } from './lazy-api.ts';

/** A question that takes longer to arrive, or to be answered, is nobody's of interest. */
const requestMilliseconds = 5000;
/** Load balancers and people that ask at once; further ones take the places of the oldest. */
const connectionsMax = 256;

export interface AdminParts {
  status: NodeStatus;
  /** False when an event loop has been silent for too long. Answers at once. */
  isAlive: () => boolean;
  metrics: () => Promise<{ contentType: string; text: string }>;
  /** `/metrics` is for those alone who show a key. */
  metricsNeedKey: boolean;
  api: Pick<LazyApi, 'answer' | 'admits'>;
}

/**
 * Server for requests to a node over HTTP, in its supervisor:
 *
 * | path | answer |
 * | --- | --- |
 * | `/healthz` | 200 unless the event loop of a worker has been silent for 30 s, then 503; asks nobody |
 * | `/readyz` | 200 while the node is ready for clients, else 503; `{"ready":false,"reasons":["store"]}`, with `details` of reasons of which more is known |
 * | `/metrics` | what the node counts (docs/metrics.md), in the text format of Prometheus |
 * | `/api/…` | the administration API (docs/api.md) |
 * | `/` and its files | the page (packages/dashboard), which is read by the first request to it |
 */
export class AdminServer {
  readonly #parts: AdminParts;
  readonly #server: Server;

  constructor(parts: AdminParts) {
    this.#parts = parts;
    this.#server = createServer({
      requestTimeout: requestMilliseconds,
      headersTimeout: requestMilliseconds,
      connectionsCheckingInterval: requestMilliseconds,
    });
    const places = new ConnectionPlaces(connectionsMax);
    this.#server.on('connection', (socket) => places.enter(socket));
    this.#server.on('request', (request, response) => void this.#answer(request, response));
  }

  /**
   * @param address `HOST:PORT`
   * @returns the URL with the port that was taken
   * @throws what the system says: EADDRINUSE, EACCES, ENOTFOUND …
   */
  async listen(address: string): Promise<string> {
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon);
    const port = Number(address.slice(colon + 1));
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: host.replace(/^\[|\]$/g, ''), port }, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
    return `http://${host}:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?')[0] ?? '';
    if (path.startsWith('/api/')) {
      await this.#parts.api.answer(request, response, false);
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      send(response, 405, { error: 'only GET and HEAD are answered' });
      return;
    }
    if (path === '/healthz') {
      const alive = this.#parts.isAlive();
      send(response, alive ? 200 : 503, { alive });
    } else if (path === '/readyz') {
      const { isReady, reasons, details } = this.#parts.status;
      const more = Object.keys(details).length === 0 ? {} : { details };
      send(response, isReady ? 200 : 503, { ready: isReady, reasons, ...more });
    } else if (path === '/metrics') {
      if (this.#parts.metricsNeedKey && !(await this.#parts.api.admits(request, response))) return;
      const { contentType, text } = await this.#parts.metrics();
      response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' });
      response.end(text);
    } else if (!(await answerPage(request, response, path))) {
      send(response, 404, { error: 'there are /, /healthz, /readyz, /metrics and /api/v1' });
    }
  }
}

async function answerPage(request: IncomingMessage, response: ServerResponse, path: string): Promise<boolean> {
  return (await import('./page.ts')).answerPage(request, response, path);
}

function send(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
