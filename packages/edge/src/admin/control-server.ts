import { chmodSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Audit, auditEvents, type Store } from '@dunlin/broker/ports';
import type { NodeLogger } from '@dunlin/telemetry';
import { removeStaleSocket } from '../listeners/stale-socket.ts';
import { events } from '../log-events.ts';
import { BanBook } from './ban-book.ts';
import type { BanRecord } from './ban-record.ts';
import { ControlError, controlSocketOf, socketPathBytesMax, textOf } from './control-socket.ts';

/** A request that takes longer to arrive, or to be answered, is nobody's of interest. */
const requestMilliseconds = 5000;
const requestBytesMax = 1024 * 1024;
/** Commands at once; each is a short connection. */
const connectionsMax = 16;

type Handler = (given: Partial<BanRecord>) => Promise<unknown>;

/**
 * Server for commands of the one user who runs the node, over HTTP at a Unix socket in the data directory (mode 0600):
 * `dunlin ban` asks it where the store is embedded, and no other process can reach that. What may open the socket may
 * read the data as well, so it is asked for no password.
 *
 * | request | answer |
 * | --- | --- |
 * | `GET /api/v1/bans` | `{"bans":[…]}`, as BanRecord |
 * | `POST /api/v1/bans` | the ban that was added |
 * | `DELETE /api/v1/bans` | `{"removed":true}`; false: there is no such ban |
 */
export class ControlServer {
  readonly #server: Server;
  readonly #logger: NodeLogger;
  readonly #audit: Audit | null;
  readonly #handlers: ReadonlyMap<string, Handler>;

  constructor(store: Store, logger: NodeLogger, audit: Audit | null) {
    this.#logger = logger;
    this.#audit = audit;
    const bans = new BanBook(store.bans);
    this.#handlers = new Map<string, Handler>([
      ['GET /api/v1/bans', async () => ({ bans: await bans.list() })],
      ['POST /api/v1/bans', (given) => this.#addBan(bans, given)],
      ['DELETE /api/v1/bans', (given) => this.#removeBan(bans, given)],
    ]);
    this.#server = createServer({ requestTimeout: requestMilliseconds, headersTimeout: requestMilliseconds });
    this.#server.maxConnections = connectionsMax;
    this.#server.on('request', (request, response) => void this.#answer(request, response));
  }

  /** Opens the socket. A node serves its clients without one: then commands cannot reach it, and the log says why. */
  async listen(dataDirectory: string): Promise<void> {
    const path = controlSocketOf(dataDirectory);
    try {
      if (Buffer.byteLength(path) > socketPathBytesMax)
        throw new RangeError(
          `the path has ${Buffer.byteLength(path)} bytes; a socket may have at most ${socketPathBytesMax}`,
        );
      await removeStaleSocket(path);
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen({ path }, resolve);
        // It is bound already, and answers in a later turn.
        if (this.#server.listening) chmodSync(path, 0o600);
      });
    } catch (error) {
      this.#logger.warn(events['control.listen-failed'], { path, error });
    }
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #addBan(bans: BanBook, given: Partial<BanRecord>): Promise<BanRecord> {
    const ban = await bans.add(given);
    const { clientId, userName, address, reason, by, endsAt } = ban;
    const fields = { client: clientId, user: userName, address, reason, by, endsAt };
    this.#logger.info(events['ban.added'], fields);
    this.#audit?.record(auditEvents['ban.added'], fields);
    return ban;
  }

  async #removeBan(bans: BanBook, given: Partial<BanRecord>): Promise<{ removed: boolean }> {
    if (!(await bans.remove(given))) return { removed: false };
    const { clientId = null, userName = null, address = null, by = '' } = given;
    const fields = { client: clientId, user: userName, address, by };
    this.#logger.info(events['ban.removed'], fields);
    this.#audit?.record(auditEvents['ban.removed'], fields);
    return { removed: true };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const handler = this.#handlers.get(`${request.method} ${request.url}`);
    if (handler === undefined) {
      send(response, 404, {
        error: `given ${request.method} ${request.url}, allowed: ${[...this.#handlers.keys()].join(', ')}`,
      });
      return;
    }
    try {
      const text = await textOf(request, requestBytesMax);
      const answer = await handler(text === '' ? {} : (JSON.parse(text) as Partial<BanRecord>));
      send(response, 200, answer);
    } catch (error) {
      const isBad = error instanceof ControlError || error instanceof SyntaxError || error instanceof RangeError;
      send(response, isBad ? 400 : 503, { error: (error as Error).message });
    }
  }
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
