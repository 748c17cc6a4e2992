// A file of its own: the supervisor alone reads, and workers need not load the configuration's schema for it.
import { type Listener, readAuthorities, readCertificate, readCrl } from '@dunlin/config';
import { revokedNames } from './crl.ts';
import { newTicketKeys, type TlsMaterial } from './tls-material.ts';

/**
 * Reads the files of a listener; null: it has no TLS.
 * @throws CertificateFileError
 */
export function readTlsMaterial({ tls }: Listener): TlsMaterial | null {
  if (tls === null) return null;
  return {
    certificates: tls.certificates.map(readCertificate),
    clientCa: tls.clientCa === '' ? null : readAuthorities(tls.clientCa),
    clientCrl: tls.clientCrl === '' ? null : checkedCrl(tls.clientCrl),
    ticketKeys: newTicketKeys(),
  };
}

/** Text of a file that workers will be able to read. */
function checkedCrl(file: string): string {
  const text = readCrl(file);
  revokedNames(text);
  return text;
}
