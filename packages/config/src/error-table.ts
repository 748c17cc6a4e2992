// For docs/errors.md alone: nothing that runs imports it.
import type { ErrorTable } from '@dunlin/protocol';
import type { CertificateFileError } from './certificate-files.ts';
import type { ConfigurationError } from './problem.ts';

export const errorTable = {
  ConfigurationError: {
    configuration: {
      says: 'a line for each fault: where it stands, the key, what was given, what is allowed, and the nearest word that is allowed',
      thrownWhen: 'the file, the environment or the flags hold an unknown key or a value that is not allowed',
      remedy: 'Correct each place that the message names; `dunlin config check` checks without starting.',
      surfaces:
        '`dunlin start`, `config check`: standard error, exit code 2. At SIGHUP: log line; the configuration stays as it was',
    },
  },
  CertificateFileError: {
    'certificate-file': {
      says: 'the file, and why it cannot be used: missing, not PEM, another key, a passphrase, a chain out of order',
      thrownWhen: 'the certificate or the key of a listener or of a connection cannot be used',
      remedy: 'Replace the file that the message names.',
      surfaces:
        'as a fault of the configuration: exit code 2. When certificates are read again: log line; the old ones stay in use',
    },
  },
} satisfies ErrorTable<{ ConfigurationError: ConfigurationError; CertificateFileError: CertificateFileError }>;
