/** Detection of other protocols whose clients commonly connect to a port of MQTT by mistake. */
import { ProtocolError } from '@dunlin/protocol';

const httpRequest = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT) /;
const proxyBinary = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const longest = 16;

/** Names the protocol that the bytes look like, or null. `httpUrl`: address of this node's HTTP server; empty: none. */
function otherProtocol(bytes: Uint8Array, httpUrl: string): string | null {
  const begin = Buffer.from(bytes.subarray(0, longest));
  const text = begin.toString('latin1');
  if (httpRequest.test(text)) {
    const where = httpUrl === '' ? '' : `; metrics and health are at ${httpUrl}`;
    return `this looks like HTTP, and MQTT alone is spoken here${where}`;
  }
  // A record of a handshake, TLS 1.x.
  if (begin[0] === 0x16 && begin[1] === 3) return 'this looks like TLS, and this listener has none';
  if (text.startsWith('PROXY ') || begin.subarray(0, proxyBinary.length).equals(proxyBinary))
    return 'this looks like a PROXY header, and this listener expects none';
  return null;
}

/** Error text for the first bytes of a connection, with the other protocol if they look like one. */
export function firstPacketError(error: unknown, bytes: Uint8Array, httpUrl: string): unknown {
  if (!(error instanceof ProtocolError)) return error;
  const other = otherProtocol(bytes, httpUrl);
  return other === null ? error : new ProtocolError(error.reasonCode, other, error.statement);
}
