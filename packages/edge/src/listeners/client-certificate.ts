import type { TLSSocket } from 'node:tls';
import type { ClientCertificate } from '@dunlin/broker';

/** The certificate that the client showed and that was verified; null: none. */
export function clientCertificateOf(socket: TLSSocket): ClientCertificate | null {
  if (!socket.authorized) return null;
  const certificate = socket.getPeerCertificate();
  if (certificate?.subject === undefined) return null;
  const { CN } = certificate.subject;
  return {
    // Several common names are no name: which of them somebody vouched for cannot be told.
    commonName: typeof CN === 'string' ? CN : '',
    subjectAltNames: splitAltNames(certificate.subjectaltname ?? ''),
    fingerprint: certificate.fingerprint256,
  };
}

/** `DNS:a.example, URI:"…"` into its parts. Node writes a name that holds a comma or a quote as a JSON string, so that none can pass for two. */
export function splitAltNames(text: string): string[] {
  const parts = text.match(/[^:,]+:(?:"(?:[^"\\]|\\.)*"|[^,]*)/g) ?? [];
  return parts.map((part) => {
    const [, kind, value] = /^\s*([^:]+):([\s\S]*)$/.exec(part) as RegExpExecArray;
    return `${kind}:${value.startsWith('"') ? JSON.parse(value) : value.trimEnd()}`;
  });
}
