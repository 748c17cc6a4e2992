import { chmodSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { NodeLogger } from '@dunlin/telemetry';
import { removeStaleSocket } from '../listeners/stale-socket.ts';
import { events } from '../log-events.ts';
import { controlSocketOf, socketPathBytesMax } from './control-socket.ts';

/** A request that takes longer to arrive, or to be answered, is nobody's of interest. */
const requestMilliseconds = 5000;
/** Commands at once; each is a short connection. */
const connectionsMax = 16;

/** Answers a request to the administration API. Never rejects. */
export type ApiAnswerer = (request: IncomingMessage, response: ServerResponse, isOwnUser: boolean) => Promise<void>;

/**
 * Server for commands of the one user who runs the node: the administration API (docs/api.md) at a Unix socket in the
 * data directory (mode 0600). What may open the socket may read the data as well, so it is asked for no key.
 */
export class ControlServer {
  readonly #server: Server;
  readonly #logger: NodeLogger;

  constructor(logger: NodeLogger, answer: ApiAnswerer) {
    this.#logger = logger;
    this.#server = createServer({ requestTimeout: requestMilliseconds, headersTimeout: requestMilliseconds });
    this.#server.maxConnections = connectionsMax;
    this.#server.on('request', (request, response) => void answer(request, response, true));
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
}
