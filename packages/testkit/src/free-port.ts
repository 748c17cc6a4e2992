import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { ServerEndedError } from './server-process.ts';

/**
 * Where ports are looked for: below those that the kernel gives to outgoing connections (32,768 and up on Linux), any of which may take a port that was free a
 * moment ago, and hold it for a minute after its end.
 */
const portMin = 12_000;
const portMax = 32_000;

/** A TCP port of the loopback interface that nothing listens on now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(portMin, portMax);
    const server = createServer();
    server.listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false, // somebody else's
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** How often a server is started on other ports when one that was free a moment ago was taken meanwhile. */
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
