import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { createWebSocketStream, WebSocket } from 'ws';
import { DeadlineError, withDeadline } from './deadline.ts';

/**
 * The stream to the broker at a URL, open. `?from=127.0.0.2` names the address that it comes from. Certificates are not checked: it is the broker that is under test.
 */
export async function openStream(url: string): Promise<Duplex> {
  const stream = begin(url);
  const opened = stream.socket === undefined ? once(stream.duplex, stream.event) : once(stream.socket, 'open');
  const failed = opened.catch((cause) => {
    throw new DeadlineError(`cannot connect to ${url}: ${(cause as Error).message}`, { cause });
  });
  await withDeadline(failed, () => `no connection to ${url}`);
  return stream.duplex;
}

function begin(url: string): { duplex: Duplex; event: string; socket?: WebSocket } {
  if (url.startsWith('unix:')) return { duplex: connectSocket({ path: url.slice('unix:'.length) }), event: 'connect' };
  const { protocol, hostname, port, searchParams } = new URL(url);
  const from = searchParams.get('from');
  if (protocol === 'ws:' || protocol === 'wss:') {
    const socket = new WebSocket(url, 'mqtt', { perMessageDeflate: false, rejectUnauthorized: false });
    const duplex = createWebSocketStream(socket);
    duplex.on('error', () => undefined); // before it is open; afterwards its owner listens, too
    return { duplex, event: 'open', socket };
  }
  const target = {
    host: hostname,
    port: Number(port),
    noDelay: true,
    ...(from === null ? {} : { localAddress: from }),
  };
  if (protocol === 'mqtts:')
    return { duplex: connectTls({ ...target, rejectUnauthorized: false }), event: 'secureConnect' };
  return { duplex: connectSocket(target), event: 'connect' };
}
