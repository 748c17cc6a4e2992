import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { ServerEndedError } from './server-process.ts';

/**
 * Lowest port that is looked for: below those that the kernel gives to outgoing connections (32,768 and up on Linux),
 * any of which may take a port that was free a moment ago, and hold it for a minute after its end.
 */
const portMin = 12_000;
const portMax = 32_000;

/**
 * Ports in a slice. A process draws its ports from a slice that is its own as long as it lives, since it listens at the slice's first port; so a port that
 * is free stays free until whom it is meant for takes it, whatever other tests draw meanwhile, and no port is given twice before the slice has gone round.
 */
const slicePorts = 200;

/** The slice of this process. */
class Slice {
  readonly #first: number;
  #given = 0;

  private constructor(first: number) {
    this.#first = first;
  }

  static async claim(): Promise<Slice> {
    for (;;) {
      const first = portMin + slicePorts * randomInt((portMax - portMin) / slicePorts);
      const server = await listenAt(first);
      server?.unref();
      if (server !== null) return new Slice(first);
    }
  }

  next(): number {
    this.#given = (this.#given % (slicePorts - 1)) + 1;
    return this.#first + this.#given;
  }
}

let slice: Promise<Slice> | null = null;

/** A TCP port of the loopback interface that nothing listens on now, and that this function gives to nobody else soon. */
export async function freePort(): Promise<number> {
  slice ??= Slice.claim();
  const own = await slice;
  for (;;) {
    const port = own.next();
    const server = await listenAt(port);
    if (server === null) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** A server that listens at `port`; null when somebody else does. */
async function listenAt(port: number): Promise<Server | null> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  return once(server, 'listening').then(
    () => server,
    () => null,
  );
}

/** Attempts to start a server on other ports when one that was free a moment ago was taken meanwhile. */
const portAttempts = 3;

/**
 * Runs `start`, which chooses free ports; when the server ends at once, most likely because somebody else took such a
 * port in between, and `mayRetry`, it runs again.
 */
export async function retryingPorts<T>(mayRetry: boolean, start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (!mayRetry || attempt === portAttempts || !(error instanceof ServerEndedError)) throw error;
    }
  }
}
