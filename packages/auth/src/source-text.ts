import { readFileSync } from 'node:fs';
import { CodedError } from '@dunlin/broker/ports';

/**
 * The text of a file, with the name that messages give it. The supervisor reads it once for all workers, so that they
 * agree on it.
 */
export interface SourceText {
  readonly name: string;
  readonly text: string;
}

/**
 * A file for authentication or authorization cannot be used. The message begins with `FILE:LINE:COLUMN` where there is
 * such a place.
 */
export class AccessFileError extends CodedError<'access-file'> {
  constructor(message: string, cause?: unknown) {
    super('access-file', message, { cause });
  }
}

/** @throws AccessFileError */
export function readSource(file: string): SourceText {
  try {
    return { name: file, text: readFileSync(file, 'utf8') };
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new AccessFileError(
      `${file} cannot be read: ${isMissing ? 'there is no such file' : (cause as Error).message}`,
      cause,
    );
  }
}
