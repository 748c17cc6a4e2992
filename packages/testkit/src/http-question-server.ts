import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A question as it reached the service. */
export interface Question {
  readonly path: string;
  readonly contentType: string;
  readonly fields: Record<string, string>;
  readonly headers: Record<string, string | string[] | undefined>;
}

/** Answer of the service; `never`: it takes the question and stays silent. */
export type Reply = { status: number; body?: string | object } | 'never';

/** An HTTP service for sign-in and rights, on a free port, that answers as the test says. */
export class HttpQuestionServer {
  readonly questions: Question[] = [];
  /** Connections that were opened to it. */
  connections = 0;
  /** Called for each question. */
  reply: (question: Question) => Reply | Promise<Reply> = () => ({ status: 404 });
  readonly #server: Server;
  readonly url: string;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(port = 0): Promise<HttpQuestionServer> {
    const server = createServer();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const service = new HttpQuestionServer(server);
    server.on('connection', () => {
      service.connections++;
    });
    server.on('request', async (request, response) => {
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += chunk;
      const contentType = String(request.headers['content-type']);
      const fields = contentType.endsWith('json') ? JSON.parse(text) : Object.fromEntries(new URLSearchParams(text));
      const question = { path: String(request.url), contentType, fields, headers: request.headers };
      service.questions.push(question);
      const reply = await service.reply(question);
      if (reply === 'never') return;
      response.writeHead(reply.status, { 'content-type': 'application/json' });
      response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {}));
    });
    return service;
  }

  /** Paths that were asked, in order. */
  get paths(): string[] {
    return this.questions.map(({ path }) => path);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
