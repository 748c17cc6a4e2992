import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Places of the built page (packages/dashboard): beside this package, and beside the bundle that npm installs. */
const places = ['../../../dashboard/dist/', '../dashboard/'].map((place) =>
  fileURLToPath(new URL(place, import.meta.url)),
);

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Compressed forms, the smallest first, by their names in Accept-Encoding and the endings of their files. */
const encodings = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;

/** Content-Security-Policy: nothing from elsewhere is loaded, and no page frames this one. Listeners for WebSockets have ports, and hosts, of their own. */
const securityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self' ws: wss:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const headers = {
  'content-security-policy': securityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  vary: 'accept-encoding',
};

/** Files of the page by path, as they were built; a node that was compiled without the page has none. */
const files = new Map<string, Buffer>();
const directory = places.find((place) => existsSync(`${place}index.html`));
if (directory !== undefined)
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = `${entry.parentPath}/${entry.name}`;
    files.set(path.slice(directory.length).replaceAll('\\', '/').replace(/^\/?/, '/'), readFileSync(path));
  }

/** Sends a file of the page; false: there is none of this path. */
export function answerPage(request: IncomingMessage, response: ServerResponse, path: string): boolean {
  const name = path === '/' ? '/index.html' : path;
  const type = types[extname(name)];
  const plain = files.get(name);
  if (type === undefined || plain === undefined) return false;
  const accepted = `${request.headers['accept-encoding'] ?? ''}`.split(',').map((word) => word.trim());
  const [encoding, ending] = encodings.find(([word, end]) => accepted.includes(word) && files.has(name + end)) ?? [];
  const body = ending === undefined ? plain : (files.get(name + ending) as Buffer);
  response.writeHead(200, {
    ...headers,
    'content-type': type,
    'content-length': body.length,
    // The names of assets change with their content.
    'cache-control': name.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
  });
  response.end(body);
  return true;
}
