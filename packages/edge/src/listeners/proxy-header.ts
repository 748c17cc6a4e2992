/**
 * The PROXY protocol, versions 1 and 2: what a load balancer says about a client before the client's first byte.
 * (HAProxy, "The PROXY protocol", section 2.) Pure: bytes in, header out.
 *
 * ```
 *   version 1   "PROXY TCP4 203.0.113.7 192.0.2.1 51034 8883\r\n"                       107 bytes at most
 *   version 2   signature, 12 bytes │ 2, command │ family, protocol │ length, 2 bytes │ addresses │ TLVs
 * ```
 */

import { isIPv4, isIPv6 } from 'node:net';

/** Contents of a header. */
export interface ProxyHeader {
  /**
   * `203.0.113.7:51034`; empty: the connection is the load balancer's own (a health check), or the address is unknown.
   */
  address: string;
  /** PP2_TYPE_AUTHORITY: the host that the client asked for; empty: none. */
  serverName: string;
  /**
   * PP2_TYPE_SSL: the common name of the client's certificate, which the load balancer has verified; null: there was
   * none.
   */
  commonName: string | null;
}

export type ProxyParse =
  | { kind: 'header'; header: ProxyHeader; length: number }
  /** More bytes are needed. */
  | { kind: 'incomplete' }
  | { kind: 'invalid'; reason: string };

/** "PROXY UNKNOWN" with the longest addresses, and its line end. */
export const version1BytesMax = 107;

/**
 * Longest header of version 2: addresses take 12, 36 or 216 bytes; the rest are TLVs, of which a client's certificate
 * is the largest. Twice the buffer of HAProxy would be 32 KiB; no load balancer sends 4.
 */
export const version2BytesMax = 4096;

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const version1Start = Buffer.from('PROXY ', 'latin1');
const version2FixedBytes = 16;

const families = { unspecified: 0, inet: 1, inet6: 2, unix: 3 } as const;
const addressBytes = [0, 12, 36, 216] as const;

const tlvTypes = { authority: 0x02, ssl: 0x20, sslCommonName: 0x22 } as const;
/**
 * Bits of the first byte of PP2_TYPE_SSL: the client showed a certificate, on this connection or earlier in the same
 * TLS session.
 */
const certificateShown = 0x02 | 0x04;
const sslFixedBytes = 5;
const tlvHeaderBytes = 3;

const incomplete: ProxyParse = { kind: 'incomplete' };

function invalid(reason: string): ProxyParse {
  return { kind: 'invalid', reason };
}

/** Reads the header at the start of `bytes`, which may hold more than it, or less. */
export function parseProxyHeader(bytes: Buffer): ProxyParse {
  if (startsLike(bytes, signature)) return bytes.length < version2FixedBytes ? incomplete : parseVersion2(bytes);
  if (startsLike(bytes, version1Start)) return parseVersion1(bytes);
  return invalid('no PROXY header');
}

/** True while `bytes` is the beginning of `start`, or begins with it. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function parseVersion1(bytes: Buffer): ProxyParse {
  const end = bytes.subarray(0, version1BytesMax).indexOf('\r\n', 0, 'latin1');
  if (end < 0) return bytes.length < version1BytesMax ? incomplete : invalid('a PROXY line without an end');
  const length = end + 2;
  const line = bytes.toString('latin1', 0, end);
  const unknown = { address: '', serverName: '', commonName: null };
  if (/^PROXY UNKNOWN( |$)/.test(line)) return { kind: 'header', header: unknown, length };
  const match = /^PROXY (TCP4|TCP6) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line);
  if (match === null) return invalid('a malformed PROXY line');
  const isVersion6 = match[1] === 'TCP6';
  const port = Number(match[4]);
  const isAddress = isVersion6 ? isIPv6(match[2]) && isIPv6(match[3]) : isIPv4(match[2]) && isIPv4(match[3]);
  if (!isAddress || port > 65_535 || Number(match[5]) > 65_535) return invalid('a wrong address in the PROXY line');
  const address = isVersion6 ? `[${match[2].toLowerCase()}]:${port}` : `${match[2]}:${port}`;
  return { kind: 'header', header: { ...unknown, address }, length };
}

function parseVersion2(bytes: Buffer): ProxyParse {
  const version = bytes[12] >> 4;
  const command = bytes[12] & 0x0f;
  if (version !== 2 || command > 1) return invalid('a PROXY header of an unknown version or command');
  const length = version2FixedBytes + bytes.readUInt16BE(14);
  if (length > version2BytesMax) return invalid(`a PROXY header of ${length} bytes`);
  if (bytes.length < length) return incomplete;
  const body = bytes.subarray(version2FixedBytes, length);
  const header: ProxyHeader = { address: '', serverName: '', commonName: null };
  // LOCAL: a connection of the load balancer itself, whatever else the header contains.
  if (command === 0) return { kind: 'header', header, length };
  const family = bytes[13] >> 4;
  const addresses = addressBytes[family];
  if (addresses === undefined || body.length < addresses) return invalid('a PROXY header without its addresses');
  if (family === families.inet) header.address = `${body.subarray(0, 4).join('.')}:${body.readUInt16BE(8)}`;
  if (family === families.inet6) header.address = `[${formatIPv6(body)}]:${body.readUInt16BE(32)}`;
  if (!readTlvs(body, addresses, header)) return invalid('a PROXY header with a truncated TLV');
  return { kind: 'header', header, length };
}

/** False: a TLV goes beyond the end. */
function readTlvs(body: Buffer, start: number, header: ProxyHeader): boolean {
  let at = start;
  while (at < body.length) {
    if (at + tlvHeaderBytes > body.length) return false;
    const value = at + tlvHeaderBytes;
    const end = value + body.readUInt16BE(at + 1);
    if (end > body.length) return false;
    if (body[at] === tlvTypes.authority) header.serverName = body.toString('utf8', value, end);
    if (body[at] === tlvTypes.ssl && !readSsl(body.subarray(value, end), header)) return false;
    at = end;
  }
  return true;
}

/**
 * Reads the client bits, the result of the verification (0: valid), and the TLVs inside. An unverified name is ignored.
 */
function readSsl(value: Buffer, header: ProxyHeader): boolean {
  if (value.length < sslFixedBytes) return false;
  const isVerified = (value[0] & certificateShown) !== 0 && value.readUInt32BE(1) === 0;
  let at = sslFixedBytes;
  while (at < value.length) {
    if (at + tlvHeaderBytes > value.length) return false;
    const end = at + tlvHeaderBytes + value.readUInt16BE(at + 1);
    if (end > value.length) return false;
    if (isVerified && value[at] === tlvTypes.sslCommonName)
      header.commonName = value.toString('utf8', at + tlvHeaderBytes, end);
    at = end;
  }
  return true;
}

function formatIPv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16)).join(':');
  // The address in its usual form, without leading zeros.
  return new URL(`http://[${groups}]`).hostname.slice(1, -1);
}
