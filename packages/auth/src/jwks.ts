/**
 * Keys at an address, fetched again when a token names one that is not known, and now and then, so that a key that was
 * withdrawn is forgotten.
 *
 * By hand, and not by jose's `createRemoteJWKSet`: a key that is missing because the address does not answer has to be
 * told from one that is not there, the answer has a size limit, and tests set the clock.
 */
import { type Clock, CodedError, codeOf, type Logger } from '@dunlin/broker/ports';
import { readJwks, type VerificationKey } from './jwt-keys.ts';
import { events } from './log-events.ts';

/** However many tokens name unknown keys: the address is asked no more often than this. */
const refetchMilliseconds = 30_000;
/** Age after which keys are fetched again while the old ones are used. */
const staleMilliseconds = 600_000;
const fetchMilliseconds = 5000;
const bytesMax = 256 * 1024;

/** The address answers with what is no set of keys. */
export class JwksError extends CodedError<'jwks'> {
  constructor(message: string) {
    super('jwks', message);
  }
}

export class Jwks {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  /** Address for the log: without a password, and without a query, which may hold a key. */
  readonly #address: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #fetch: typeof fetch;
  /** The last good ones; null: there were none yet. */
  #keys: VerificationKey[] | null = null;
  #askedAt = Number.NEGATIVE_INFINITY;
  #failed = false;
  #fetching: Promise<void> | null = null;

  constructor(url: string, clock: Clock, logger: Logger, fetcher: typeof fetch = fetch) {
    const parsed = new URL(url);
    const { origin, pathname } = parsed;
    this.#address = `${origin}${pathname}`;
    this.#headers = { accept: 'application/jwk-set+json, application/json', ...authorizationOf(parsed) };
    this.#url = parsed.href;
    this.#clock = clock;
    this.#logger = logger;
    this.#fetch = fetcher;
  }

  /**
   * Keys that a token may be signed with. `knows` says whether what is there is enough.
   * @returns null when that cannot be told, since the address does not answer
   */
  async keys(knows: (keys: readonly VerificationKey[]) => boolean): Promise<readonly VerificationKey[] | null> {
    const age = this.#clock.now() - this.#askedAt;
    const isKnown = this.#keys !== null && knows(this.#keys);
    if (isKnown) {
      if (age > staleMilliseconds) void this.refresh();
      return this.#keys;
    }
    // One request serves all callers that wait. Before the first success there is one attempt a second.
    if (this.#fetching !== null || age > (this.#keys === null ? 1000 : refetchMilliseconds)) await this.refresh();
    return this.#failed ? null : this.#keys;
  }

  /** Never rejects. */
  refresh(): Promise<void> {
    this.#fetching ??= this.#load().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  async #load(): Promise<void> {
    this.#askedAt = this.#clock.now();
    try {
      const { keys, leftOut } = readJwks(await this.#read());
      if (keys.length === 0)
        throw new JwksError(`no key that can be used: ${leftOut.join('; ') || 'the set is empty'}`);
      this.#keys = keys;
      if (this.#failed) this.#logger.info(events['jwks.fetched-again'], { url: this.#address });
      this.#failed = false;
    } catch (error) {
      if (!this.#failed)
        this.#logger.warn(events['jwks.fetch-failed'], {
          url: this.#address,
          error: (error as Error).message,
          errorCode: codeOf(error),
          cause: String((error as Error).cause ?? ''),
        });
      this.#failed = true;
    }
  }

  async #read(): Promise<unknown> {
    const response = await this.#fetch(this.#url, {
      headers: this.#headers,
      redirect: 'error',
      signal: AbortSignal.timeout(fetchMilliseconds),
    });
    if (response.status !== 200)
      throw new JwksError(`the server answered with status ${response.status} instead of 200`);
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > bytesMax) throw new JwksError(`the answer has more than ${bytesMax} bytes`);
    }
    return JSON.parse(text);
  }
}

/** `fetch` accepts no URL with a user and a password: they are removed from it, and sent in a header. */
function authorizationOf(url: URL): { authorization?: string } {
  const { username, password } = url;
  url.username = '';
  url.password = '';
  if (username === '' && password === '') return {};
  const words = [username, password].map(decoded).join(':');
  return { authorization: `Basic ${Buffer.from(words).toString('base64')}` };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a % that stands for itself
  }
}
