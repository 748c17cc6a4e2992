import type { TLSSocket } from 'node:tls';
import type { ClientCertificate } from '@dunlin/broker';
import { revocationName } from './crl.ts';

/** The verified certificate of the client; null: none. */
export function clientCertificateOf(socket: TLSSocket): ClientCertificate | null {
  if (!socket.authorized) return null;
  const certificate = socket.getPeerCertificate();
  if (certificate?.subject === undefined) return null;
  const { CN } = certificate.subject;
  return {
    // Several common names count as none: it is unknown which of them the authority meant.
    commonName: typeof CN === 'string' ? CN : '',
    subjectAltNames: splitAltNames(certificate.subjectaltname ?? ''),
    fingerprint: certificate.fingerprint256,
    expiresAt: Date.parse(certificate.valid_to),
    revocationName: revocationName(certificate.raw),
  };
}

/**
 * Splits `DNS:a.example, URI:"…"` into its parts. Node writes a name that holds a comma or a quote as a JSON string, so
 * that none can pass for two.
 */
export function splitAltNames(text: string): string[] {
  const parts = text.match(/[^:,]+:(?:"(?:[^"\\]|\\.)*"|[^,]*)/g) ?? [];
  return parts.map((part) => {
    const [, kind, value] = /^\s*([^:]+):([\s\S]*)$/.exec(part) as RegExpExecArray;
    return `${kind}:${value.startsWith('"') ? JSON.parse(value) : value.trimEnd()}`;
  });
}
