/** Certificates that their authority has withdrawn: the parts of a CRL (RFC 5280, section 5.1) and of a certificate that name them. */
import { createHash } from 'node:crypto';
import { CodedError } from '@dunlin/broker/ports';

/** A CRL that cannot be read. */
export class CrlError extends CodedError<'crl'> {
  constructor(message: string) {
    super('crl', message);
  }
}

const sequenceTag = 0x30;
const integerTag = 0x02;
const timeTags: readonly number[] = [0x17, 0x18];

/** One element of DER: its tag, its content, and where the next begins. */
interface Element {
  tag: number;
  whole: Buffer;
  content: Buffer;
}

/** Elements of a content, one behind the other. Throws CrlError for one that ends beyond it. */
function elementsOf(bytes: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    let contentAt = at + 2;
    let length = bytes[at + 1] ?? 0;
    if (length >= 0x80) {
      const lengthBytes = length & 0x7f;
      if (lengthBytes < 1 || lengthBytes > 4 || contentAt + lengthBytes > bytes.length)
        throw new CrlError('it is not DER');
      length = bytes.readUIntBE(contentAt, lengthBytes);
      contentAt += lengthBytes;
    }
    const end = contentAt + length;
    if (end > bytes.length || contentAt > bytes.length) throw new CrlError('it ends within an element');
    elements.push({ tag: bytes[at], whole: bytes.subarray(at, end), content: bytes.subarray(contentAt, end) });
    at = end;
  }
  return elements;
}

function firstOf(bytes: Buffer): Element[] {
  const [outer] = elementsOf(bytes);
  const [inner] = outer?.tag === sequenceTag ? elementsOf(outer.content) : [];
  if (inner?.tag !== sequenceTag) throw new CrlError('it does not begin as it should');
  return elementsOf(inner.content);
}

function nameOf(issuer: Buffer, serial: Buffer): string {
  return `${createHash('sha256').update(issuer).digest('base64url')}:${serial.toString('hex')}`;
}

/** Name of a certificate among those of all authorities: its issuer and its serial number. */
export function revocationName(certificate: Buffer): string {
  const elements = firstOf(certificate);
  // The version stands first, if it is not 1.
  const [serial, , issuer] = elements[0]?.tag === integerTag ? elements : elements.slice(1);
  if (serial === undefined || issuer === undefined) throw new CrlError('the certificate is not whole');
  return nameOf(issuer.whole, serial.content);
}

/** Names of the certificates that these lists in PEM withdraw. */
export function revokedNames(text: string): ReadonlySet<string> {
  const revoked = new Set<string>();
  for (const [, base64] of text.matchAll(/-----BEGIN X509 CRL-----([\s\S]*?)-----END X509 CRL-----/g)) {
    const elements = firstOf(Buffer.from(base64, 'base64'));
    const rest = elements[0]?.tag === integerTag ? elements.slice(1) : elements;
    const [, issuer, , ...behind] = rest;
    if (issuer === undefined) throw new CrlError('it names no issuer');
    // After the time of the next list, if there is one; where nothing is withdrawn, the list is missing.
    const list = (timeTags.includes(behind[0]?.tag) ? behind.slice(1) : behind).find((_, at) => at === 0);
    if (list?.tag !== sequenceTag) continue;
    for (const entry of elementsOf(list.content)) {
      const [serial] = elementsOf(entry.content);
      if (serial?.tag === integerTag) revoked.add(nameOf(issuer.whole, serial.content));
    }
  }
  return revoked;
}
