import { once } from 'node:events';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { withDeadline } from '@dunlin/testkit';

/** A TLS connection to loopback; rejects with what TLS says. */
export async function openTls(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', servername: '', rejectUnauthorized: false, ...options });
  await withDeadline(once(socket, 'secureConnect'), () => 'no TLS connection');
  socket.on('error', () => undefined);
  return socket;
}

/** The common name of the certificate that the server shows to whom asks for this host. */
export async function shownCertificate(port: number, servername = ''): Promise<string> {
  const socket = await openTls(port, { servername });
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

/**
 * Fate of a connection on which the client sends CONNECT: CONNACK, or the end. With TLS 1.3 a client learns of its
 * refusal only after its own part of the handshake.
 */
export async function fateOf(
  port: number,
  options: ConnectionOptions,
  connect: Buffer,
): Promise<'accepted' | 'refused'> {
  let socket: TLSSocket;
  try {
    socket = await openTls(port, options);
  } catch {
    return 'refused';
  }
  socket.write(connect);
  // An alert is an error of the socket, and an end.
  const first = once(socket, 'data').then(
    () => 'accepted' as const,
    () => 'refused' as const,
  );
  const end = new Promise<'refused'>((resolve) => socket.once('close', () => resolve('refused')));
  const fate = await withDeadline(Promise.race([first, end]), () => 'neither an answer nor an end');
  socket.destroy();
  return fate;
}
