import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { withDeadline } from '@dunlin/testkit';

/** A span as OTLP writes it in JSON, as far as the tests look. */
export interface CollectedSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: number;
  attributes: Record<string, unknown>;
  /** Resource attributes of the sender. */
  resource: Record<string, unknown>;
  startedAt: bigint;
  endedAt: bigint;
}

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}

interface Request {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { spans: Record<string, unknown>[] }[];
  }[];
}

/** Time that the batches of several nodes take to come, on a machine that is busy with other tests. */
const arrivalMilliseconds = 15_000;

/** The other end of OTLP over HTTP: takes `POST /v1/traces`. */
export class SpanCollector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = [];
  /** Bodies that are not JSON, with their content type. */
  readonly others: { contentType: string; body: Buffer }[] = [];
  readonly #server: Server;
  #wake = Promise.withResolvers<void>();

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const isKnown = request.method === 'POST' && request.url === '/v1/traces';
        if (isKnown) this.#take(request.headers['content-type'] ?? '', Buffer.concat(chunks));
        response.writeHead(isKnown ? 200 : 404, { 'content-type': 'application/json' }).end('{}');
        this.#wake.resolve();
        this.#wake = Promise.withResolvers<void>();
      });
    });
  }

  static async start(): Promise<SpanCollector> {
    const collector = new SpanCollector();
    await new Promise<void>((resolve) => collector.#server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #take(contentType: string, body: Buffer): void {
    if (contentType !== 'application/json') {
      this.others.push({ contentType, body });
      return;
    }
    const { resourceSpans } = JSON.parse(body.toString()) as Request;
    for (const { resource, scopeSpans } of resourceSpans) {
      const sender = plain(resource.attributes);
      for (const span of scopeSpans.flatMap(({ spans }) => spans))
        this.spans.push({
          traceId: String(span.traceId),
          spanId: String(span.spanId),
          parentSpanId: String(span.parentSpanId ?? ''),
          name: String(span.name),
          kind: Number(span.kind),
          attributes: plain(span.attributes as Attribute[]),
          resource: sender,
          startedAt: BigInt(String(span.startTimeUnixNano)),
          endedAt: BigInt(String(span.endTimeUnixNano)),
        });
    }
  }

  /** Resolves when what has come is enough. */
  async until(isEnough: () => boolean): Promise<void> {
    const show = (): string =>
      `spans so far: ${this.spans.map(({ name, traceId }) => `${name} ${traceId}`).join(', ')}`;
    while (!isEnough()) await withDeadline(this.#wake.promise, show, arrivalMilliseconds);
  }

  /** Spans of one trace, resolved when there are so many. */
  async trace(traceId: string, count: number): Promise<CollectedSpan[]> {
    const found = (): CollectedSpan[] => this.spans.filter((span) => span.traceId === traceId);
    await this.until(() => found().length >= count);
    return found();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

function plain(attributes: Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
