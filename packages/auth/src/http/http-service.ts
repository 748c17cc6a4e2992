/** A service over HTTP that is asked about clients: with a time-out, a bound on questions at once, and a circuit that opens when it does not answer. */
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { type Clock, CodedError, codeOf, type Logger, QuestionFigures } from '@dunlin/broker/ports';
import { events } from '../log-events.ts';
import { AccessFileError, type SourceText } from '../source-text.ts';
import { Circuit } from './circuit.ts';

/** Bytes of an answer; rules of one client fit in many times over. */
const answerBytesMax = 256 * 1024;
/** Questions that wait for a connection, for each that is under way. */
const waitingPerConnection = 15;

export interface HttpServiceOptions {
  /** Time-out of a question from its beginning to the last byte of its answer, the wait for a connection included. */
  readonly timeoutMilliseconds: number;
  /** Questions under way at the same time, and connections that are kept open. */
  readonly concurrentMax: number;
}

/** Content of files for the connections; it may change while the service is in use. */
export interface HttpTexts {
  /** Sent with each question, such as `authorization`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Authorities that certificates are checked against, PEM; null: the system's. */
  readonly authorities: string | null;
}

/**
 * Headers, lines of `NAME: VALUE`; empty lines and those that begin with `#` say nothing.
 * @throws AccessFileError with the line of what is wrong first
 */
export function parseHeadersFile({ name, text }: SourceText): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, header, value] = /^([^:]+):\s*(.*?)\s*$/.exec(line) ?? [];
    try {
      validateHeaderName(header ?? line);
      validateHeaderValue(header, value);
    } catch (cause) {
      throw new AccessFileError(`${name}:${index + 1}:1: a line is NAME: VALUE, as in an HTTP header`, cause);
    }
    headers[header.toLowerCase()] = value;
  }
  return headers;
}

/** Form of the body of a question. */
export type BodyFormat = 'json' | 'form';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** The service did not answer, or with what cannot be used. Nothing is known of the client, which means no. */
export class HttpServiceError extends CodedError<'http-service'> {
  constructor(message: string, cause?: unknown) {
    super('http-service', message, { cause });
  }
}

export class HttpService {
  readonly #options: HttpServiceOptions;
  readonly #circuit: Circuit;
  readonly #logger: Logger;
  readonly #plain: HttpAgent;
  #secure: HttpsAgent;
  #texts: HttpTexts;
  readonly #figures: QuestionFigures;
  #underWay = 0;

  constructor(
    options: HttpServiceOptions,
    texts: HttpTexts,
    clock: Clock,
    logger: Logger,
    figures = new QuestionFigures(),
  ) {
    this.#options = options;
    this.#figures = figures;
    this.#circuit = new Circuit(clock);
    this.#logger = logger;
    this.#texts = texts;
    this.#plain = new HttpAgent(this.#agentOptions());
    this.#secure = this.#secureAgent();
  }

  /** Takes over files that have changed: for the next question. */
  replace(texts: HttpTexts): void {
    const hasNewAuthorities = texts.authorities !== this.#texts.authorities;
    this.#texts = texts;
    if (!hasNewAuthorities) return;
    this.#secure.destroy();
    this.#secure = this.#secureAgent();
  }

  /** Agents queue what is above their number of sockets. */
  #agentOptions() {
    return { keepAlive: true, maxSockets: this.#options.concurrentMax };
  }

  #secureAgent(): HttpsAgent {
    const { authorities } = this.#texts;
    return new HttpsAgent({ ...this.#agentOptions(), ...(authorities === null ? {} : { ca: authorities }) });
  }

  /**
   * Sends a question by POST. Redirects are not followed.
   * @throws HttpServiceError when there is no answer of status 200 to 499 in time, when too many questions wait, or while the circuit is open
   */
  async ask(
    url: string,
    format: BodyFormat,
    fields: Readonly<Record<string, string | number | boolean>>,
  ): Promise<HttpAnswer> {
    const waitingMax = this.#options.concurrentMax * (1 + waitingPerConnection);
    if (this.#underWay >= waitingMax) throw this.#notAsked(`${waitingMax} questions are under way already`);
    if (!this.#circuit.enter()) throw this.#notAsked('the service did not answer just now, and is not asked for 5 s');
    this.#underWay++;
    const begun = performance.now();
    try {
      const answer = await this.#post(new URL(url), format, fields);
      if (answer.status >= 500 || (answer.status >= 300 && answer.status < 400))
        throw new HttpServiceError(`the service answered with status ${answer.status}`);
      if (this.#circuit.succeeded()) this.#logger.info(events['http-service.recovered'], { url: addressOf(url) });
      this.#figures.results.answered++;
      return answer;
    } catch (error) {
      this.#figures.results.failed++;
      const told = error instanceof HttpServiceError ? error : new HttpServiceError((error as Error).message, error);
      if (this.#circuit.failed())
        this.#logger.warn(events['http-service.failed'], {
          url: addressOf(url),
          error: told.message,
          errorCode: codeOf(told),
        });
      throw told;
    } finally {
      this.#underWay--;
      this.#figures.seconds.observe((performance.now() - begun) / 1000);
      this.#figures.circuitOpen = this.#circuit.isOpen ? 1 : 0;
    }
  }

  #notAsked(why: string): HttpServiceError {
    this.#figures.results['not-asked']++;
    return new HttpServiceError(why);
  }

  /** Ends the connections that are kept open. */
  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  async #post(
    url: URL,
    format: BodyFormat,
    fields: Readonly<Record<string, string | number | boolean>>,
  ): Promise<HttpAnswer> {
    const isSecure = url.protocol === 'https:';
    const body =
      format === 'json'
        ? JSON.stringify(fields)
        : new URLSearchParams(Object.entries(fields).map(([name, value]) => [name, String(value)])).toString();
    const { timeoutMilliseconds } = this.#options;
    const signal = AbortSignal.timeout(timeoutMilliseconds);
    const options: RequestOptions = {
      method: 'POST',
      agent: isSecure ? this.#secure : this.#plain,
      signal,
      headers: {
        'content-type': format === 'json' ? 'application/json' : 'application/x-www-form-urlencoded',
        'content-length': Buffer.byteLength(body),
        accept: 'application/json, text/plain',
        ...this.#texts.headers,
      },
    };
    try {
      return await new Promise((resolve, reject) => {
        const request = (isSecure ? httpsRequest : httpRequest)(url, options, (response) => {
          readAll(response).then(resolve, reject);
        });
        request.on('error', reject);
        request.end(body);
      });
    } catch (error) {
      if (signal.aborted) throw new HttpServiceError(`no answer within ${timeoutMilliseconds} ms`, error);
      throw error;
    }
  }
}

async function readAll(response: IncomingMessage): Promise<HttpAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) {
      response.destroy();
      throw new HttpServiceError(`the answer has more than ${answerBytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') };
}

/** Address for the log: without a user, a password and a query. */
function addressOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
