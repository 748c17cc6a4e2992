import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';

/** Files that belong to a page, by their endings. Nothing else in its folder is served: no test, no README. */
const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** MQTT.js as its package brings it for browsers, one ES module. Its package tells where it is, not what it exports. */
const mqttBundle = join(dirname(createRequire(import.meta.url).resolve('mqtt/package.json')), 'dist/mqtt.esm.js');

/** The files of a page by the path of their address. An address that is not in this table is 404, so none can lead out of the folder. */
function pageFiles(folder: string): Map<string, string> {
  const files = new Map([['/mqtt.js', mqttBundle]]);
  for (const name of readdirSync(folder)) if (extname(name) in contentTypes) files.set(`/${name}`, join(folder, name));
  const index = files.get('/index.html');
  if (index !== undefined) files.set('/', index);
  return files;
}

/**
 * Policy of the page: scripts and styles from here and from nowhere else, WebSockets to any broker. The import map
 * stands in the page itself and is admitted by its hash; MQTT.js keeps its time in a worker that it makes from a blob,
 * since browsers slow the timers of hidden pages.
 */
function contentSecurityPolicy(html: string): string {
  const maps = [...html.matchAll(/<script type="importmap">([\s\S]*?)<\/script>/g)].map(
    ([, text]) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`,
  );
  return [
    "default-src 'none'",
    ["script-src 'self'", ...maps].join(' '),
    "style-src 'self'",
    "img-src 'self'",
    'connect-src ws: wss:',
    'worker-src blob:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** A file as it is now: who edits a page sees it at the next load. Null while it is not there. */
function read(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}

function answer(files: Map<string, string>, request: IncomingMessage, response: ServerResponse): void {
  const { method = '', url = '' } = request;
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    return;
  }
  const path = files.get(url.split('?', 1)[0]);
  const body = path === undefined ? null : read(path);
  if (path === undefined || body === null) {
    response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not found\n');
    return;
  }
  const type = contentTypes[extname(path)];
  if (extname(path) === '.html')
    response.setHeader('Content-Security-Policy', contentSecurityPolicy(body.toString('utf8')));
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': body.length, 'Cache-Control': 'no-cache' });
  response.end(method === 'HEAD' ? undefined : body);
}

/**
 * Serves the page in `folder`, and MQTT.js as `/mqtt.js`, on the loopback interface. A port of 0 takes a free one.
 * Resolves when it listens; rejects with the error of the socket, `EADDRINUSE` when the port is taken.
 */
export async function servePage(folder: string, port: number): Promise<Server> {
  const files = pageFiles(folder);
  const server = createServer((request, response) => answer(files, request, response));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
