import { isIPv6 } from 'node:net';
import { CodedError } from '@dunlin/broker/ports';
import type { ListenerAddress } from '@dunlin/config';

/** The system cannot give a listener its address. The message says which listener, and what to do. */
export class ListenError extends CodedError<'cannot-listen'> {
  constructor(message: string, options?: ErrorOptions) {
    super('cannot-listen', message, options);
  }
}

/** `cannot listen at tcp://127.0.0.1:1883: …` */
export function listenError(address: ListenerAddress, cause: unknown): ListenError {
  const { message, code } = cause as NodeJS.ErrnoException;
  return new ListenError(`cannot listen at ${format(address)}: ${message}${adviceFor(address, code)}`, {
    cause,
  });
}

function adviceFor(address: ListenerAddress, code: string | undefined): string {
  if (address.kind === 'unix') return code === 'EADDRINUSE' ? '; another process listens there' : '';
  if (code === 'EADDRINUSE') {
    const free = format({ ...address, port: address.port === 65_535 ? 1883 : address.port + 1 });
    return `; is another broker running? Stop it, or choose another port, such as --listener ${free}`;
  }
  if (code === 'EACCES' && address.port < 1024) return '; ports below 1024 are for privileged processes';
  if (code === 'EADDRNOTAVAIL') return '; this machine has no such address';
  return '';
}

/** Formats an address as a listener is written. The function of `config` is not used, which workers do not load. */
function format(address: ListenerAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  const host = isIPv6(address.host) ? `[${address.host}]` : address.host;
  return `${address.kind}://${host}:${address.port}`;
}
