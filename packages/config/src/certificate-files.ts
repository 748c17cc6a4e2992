import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A certificate and its key, each a file in PEM. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** What the two files hold, checked to belong together. */
export interface CertificateTexts {
  cert: string;
  key: string;
}

/** A file of a certificate or key that cannot be used; the message names it and says why. */
export class CertificateFileError extends Error {
  /** Which of the two files it is about. */
  readonly part: 'cert' | 'key';

  constructor(part: 'cert' | 'key', message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'CertificateFileError';
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
 * Reads a certificate and its key.
 * @throws CertificateFileError when a file is missing, holds something else, or the two do not belong together
 */
export function readCertificate(files: CertificateFiles): CertificateTexts {
  const cert = readText(files.cert, 'cert');
  const [certificate] = certificatesOf(cert, files.cert);
  const key = readText(files.key, 'key');
  if (!certificate.checkPrivateKey(keyOf(key, files.key))) {
    throw new CertificateFileError(
      'key',
      `the key in ${files.key} does not belong to the certificate in ${files.cert}`,
    );
  }
  return { cert, key };
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
