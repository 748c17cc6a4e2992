import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { CodedError, codeOf, type Logger } from '@dunlin/broker/ports';
import { events } from './log-events.ts';

/** A file on a server that hangs must not keep a connection from being tried. */
const readMilliseconds = 2000;

/** A file with a secret holds nothing. */
export class SecretFileError extends CodedError<'secret-file'> {
  constructor(message: string) {
    super('secret-file', message);
  }
}

/**
 * A file with a password, a certificate or a key, which others replace while the node runs: it is read whenever it is needed. One that cannot be read then, or is
 * empty, as while it is being written, stands for what it held before.
 */
export class SecretFile {
  readonly #path: string;
  readonly #server: string;
  readonly #logger: Logger;
  #last: Buffer | null;
  #isMissed = false;

  /**
   * @param path empty: there is no such file, and `read` gives null
   * @param server for messages: whom it is for
   * @throws the file system's error
   */
  constructor(path: string, server: string, logger: Logger) {
    this.#path = path;
    this.#server = server;
    this.#logger = logger;
    this.#last = path === '' ? null : readFileSync(path);
  }

  /** Rejects with nothing. */
  async read(): Promise<Buffer | null> {
    if (this.#path === '') return null;
    try {
      const content = await readFile(this.#path, { signal: AbortSignal.timeout(readMilliseconds) });
      if (content.length === 0) throw new SecretFileError('the file is empty');
      this.#last = content;
      if (this.#isMissed)
        this.#logger.info(events['secret-file.read-again'], { server: this.#server, file: this.#path });
      this.#isMissed = false;
    } catch (error) {
      if (!this.#isMissed) {
        this.#logger.error(events['secret-file.read-failed'], {
          server: this.#server,
          file: this.#path,
          error: (error as Error).message,
          errorCode: codeOf(error),
        });
      }
      this.#isMissed = true;
    }
    return this.#last;
  }

  /** Reads the text without the line break at its end, which editors put there. */
  async readText(): Promise<string | null> {
    const content = await this.read();
    return content === null ? null : content.toString('utf8').replace(/\r?\n$/, '');
  }
}
