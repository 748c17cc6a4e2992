import { createServer } from 'node:net';
import type { ListenerAddress } from '@dunlin/config';
import { listenError } from './listen-failure.ts';

/**
 * Fails with EADDRINUSE when anyone listens at the port. Threads that share a port would not notice: the kernel lets
 * every process of the same user join in, and a second node would silently take half of the connections of the first.
 */
export async function refuseSharedPort(address: ListenerAddress): Promise<void> {
  if (address.kind === 'unix' || address.port === 0) return;
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', (error) => reject(listenError(address, error)));
    probe.listen({ host: address.host, port: address.port }, () => probe.close(() => resolve()));
  });
}
