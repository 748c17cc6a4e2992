import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { CodedError } from '@dunlin/protocol/coded-error';

/** A certificate and its key, each a file in PEM. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** Contents of the two files, checked to belong together. */
export interface CertificateTexts {
  cert: string;
  key: string;
}

/** A file of a certificate or key that cannot be used; the message names it and says why. */
export class CertificateFileError extends CodedError<'certificate-file'> {
  /** File that the problem is in. */
  readonly part: 'cert' | 'key';

  constructor(part: 'cert' | 'key', message: string, cause?: unknown) {
    super('certificate-file', message, { cause });
    this.part = part;
  }
}

const certificatePattern =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

function readText(file: string, part: 'cert' | 'key'): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = isMissing ? 'there is no such file' : (cause as Error).message;
    throw new CertificateFileError(part, `the file ${file} cannot be read: ${reason}`, cause);
  }
}

/** Every certificate of a text in PEM; the first is the one that the key belongs to. */
function certificatesOf(text: string, file: string): X509Certificate[] {
  const blocks = text.match(certificatePattern) ?? [];
  const begun = text.match(/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/g)?.length ?? 0;
  if (blocks.length > 0 && begun > blocks.length)
    throw new CertificateFileError('cert', `the file ${file} ends within certificate ${blocks.length + 1}`);
  if (blocks.length === 0) throw new CertificateFileError('cert', `the file ${file} holds no certificate in PEM`);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      const message = `certificate ${index + 1} in the file ${file} cannot be read: ${(cause as Error).message}`;
      throw new CertificateFileError('cert', message, cause);
    }
  });
}

function keyOf(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    const isLocked = /ENCRYPTED/.test(text);
    const reason = isLocked ? 'is protected by a passphrase; write it without one' : 'holds no private key in PEM';
    throw new CertificateFileError('key', `the file ${file} ${reason}`, cause);
  }
}

/**
 * Returns the fault in the order of a chain; null: none. TLS shows the chain as it stands in the file, and clients may
 * insist on its order.
 */
function disorderOf(chain: readonly X509Certificate[], key: KeyObject, keyFile: string): string | null {
  const numbered = (at: number): string => `number ${at + 1} (${chain[at].subject.replaceAll('\n', ', ')})`;
  const ofKey = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (ofKey > 0) return `${numbered(ofKey)} belongs to the key in ${keyFile}, ${numbered(0)} does not`;
  for (const [at, certificate] of chain.slice(0, -1).entries()) {
    const next = chain[at + 1];
    // Of one authority there may be several certificates, each of another issuer.
    if (certificate.checkIssued(next) || certificate.subject === next.subject) continue;
    const issuer = chain.findIndex((candidate, place) => place !== at && certificate.checkIssued(candidate));
    if (issuer !== -1) return `${numbered(at)} was issued by ${numbered(issuer)}, not by ${numbered(at + 1)}`;
  }
  return null;
}

/**
 * Reads a certificate, with those between it and its authority, and its key.
 * @throws CertificateFileError when a file is missing, holds something else, or the two do not belong together
 */
export function readCertificate(files: CertificateFiles): CertificateTexts {
  const cert = readText(files.cert, 'cert');
  const chain = certificatesOf(cert, files.cert);
  const keyText = readText(files.key, 'key');
  const key = keyOf(keyText, files.key);
  const disorder = disorderOf(chain, key, files.key);
  if (disorder !== null) {
    const order = 'the certificate of the key comes first, then the one of its issuer, and so on';
    const message = `the certificates in ${files.cert} are in the wrong order: ${disorder}; ${order}`;
    throw new CertificateFileError('cert', message);
  }
  if (!chain[0].checkPrivateKey(key)) {
    const message = `the key in ${files.key} does not belong to the certificate in ${files.cert}`;
    throw new CertificateFileError('key', message);
  }
  return { cert, key: keyText };
}

/**
 * Reads a file of authorities' certificates.
 * @throws CertificateFileError when it is missing or holds something else
 */
export function readAuthorities(file: string): string {
  const text = readText(file, 'cert');
  certificatesOf(text, file);
  return text;
}

/**
 * Reads a file of lists of withdrawn certificates.
 * @throws CertificateFileError when it is missing, or holds something else
 */
export function readCrl(file: string): string {
  const text = readText(file, 'cert');
  const begun = text.match(/-----BEGIN X509 CRL-----/g)?.length ?? 0;
  const ended = text.match(/-----BEGIN X509 CRL-----[A-Za-z0-9+/=\s]+-----END X509 CRL-----/g)?.length ?? 0;
  if (begun === 0)
    throw new CertificateFileError('cert', `the file ${file} holds no list of withdrawn certificates in PEM`);
  if (begun > ended) throw new CertificateFileError('cert', `the file ${file} ends within list ${ended + 1}`);
  try {
    createSecureContext({ crl: text });
  } catch (cause) {
    throw new CertificateFileError('cert', `the file ${file} cannot be used: ${(cause as Error).message}`, cause);
  }
  return text;
}
