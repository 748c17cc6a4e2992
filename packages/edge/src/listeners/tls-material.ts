import { randomBytes, X509Certificate } from 'node:crypto';
import type { CertificateTexts } from '@dunlin/config';

/** Names of a key, its secret, and what authenticates tickets: 16 bytes each, as OpenSSL wants them. */
const ticketKeyBytes = 48;

/**
 * TLS material of one listener that a worker is given. The supervisor reads the files, so that all workers have the
 * same.
 */
export interface TlsMaterial {
  /** The first is for clients that name no host, or none of these. */
  certificates: CertificateTexts[];
  clientCa: string | null;
  /** Lists of withdrawn certificates of clients, PEM; null: none. */
  clientCrl: string | null;
  /**
   * Secret of the tickets for session resumption, which all workers share. Every listener has its own: a ticket of a
   * listener that asks for no certificate must not open one that requires it.
   */
  ticketKeys: Uint8Array;
}

export function newTicketKeys(): Uint8Array {
  return randomBytes(ticketKeyBytes);
}

/** The same with other ticket keys: earlier tickets are not accepted any more. */
export function withNewTicketKeys(material: TlsMaterial): TlsMaterial {
  return { ...material, ticketKeys: newTicketKeys() };
}

export function isSameMaterial(one: TlsMaterial, other: TlsMaterial): boolean {
  const files = ({ certificates, clientCa, clientCrl }: TlsMaterial) =>
    JSON.stringify([certificates, clientCa, clientCrl]);
  return files(one) === files(other);
}

/**
 * The hosts that a certificate is for, in lower case: `a.example`, `*.b.example`. Its common name counts only when it
 * has no other.
 */
export function hostNames(certificate: X509Certificate): string[] {
  const names = (certificate.subjectAltName ?? '').match(/(?<=DNS:)[^,"\s]+/g) ?? [];
  const commonName = /^CN=(.+)$/m.exec(certificate.subject)?.[1];
  const all = names.length > 0 || commonName === undefined ? names : [commonName];
  return all.map((name) => name.toLowerCase());
}

/**
 * End of validity of the first of these certificates, intermediate ones included: from then on clients refuse it.
 * Seconds since 1970.
 */
export function certificatesEndAt({ certificates }: TlsMaterial): number {
  const all = certificates.flatMap(
    ({ cert }) => cert.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [],
  );
  return Math.min(...all.map((text) => new X509Certificate(text).validToDate.getTime() / 1000));
}

/** Names in these certificates, and the end of their validity, for the log. */
export function describeMaterial({ certificates }: TlsMaterial): { names: string; validTo: string }[] {
  return certificates.map(({ cert }) => {
    const certificate = new X509Certificate(cert);
    return { names: hostNames(certificate).join(' '), validTo: certificate.validTo };
  });
}
