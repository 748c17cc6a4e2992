import { once } from 'node:events';
import { createServer } from 'node:net';
import { ServerEndedError } from './server-process.ts';

/** A TCP port of the loopback interface that nothing listens on now: the kernel's choice, given back at once. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') {
    throw new TypeError('a TCP server has a numeric port');
  }
  return address.port;
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
