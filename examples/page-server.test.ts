import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { freePort } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startExample } from './browser.ts';
import { servePage } from './page-server.ts';

const folder = join(import.meta.dirname, 'gauge');
let server: Server;
let port: number;

beforeAll(async () => {
  server = await servePage(folder, 0);
  ({ port } = server.address() as AddressInfo);
});

afterAll(() => server.close());

/** Sends a request as it is written: `fetch` would tidy up the path. */
async function request(line: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`${line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
  return text(socket);
}

describe('the server of a page', () => {
  test.each([
    ['/', 'text/html; charset=utf-8', 'index.html'],
    ['/?topic=a/b', 'text/html; charset=utf-8', 'index.html'],
    ['/page.js', 'text/javascript; charset=utf-8', 'page.js'],
    ['/gauge.css', 'text/css; charset=utf-8', 'gauge.css'],
    ['/icon.svg', 'image/svg+xml', 'icon.svg'],
    ['/mqtt.js', 'text/javascript; charset=utf-8', '../../node_modules/mqtt/dist/mqtt.esm.js'],
  ])('%s is %s', async (path, type, file) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    expect(response.headers.get('content-type')).toBe(type);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await response.text()).toBe(readFileSync(join(folder, file), 'utf8'));
  });

  test.each([
    '/../chat/index.html',
    '/../../package.json',
    '/%2e%2e/%2e%2e/package.json',
    '/..%2f..%2fpackage.json',
    '/..\\..\\package.json',
    '//etc/passwd',
    '/gauge.test.ts',
    '/README.md',
    '/constructor',
    '/.',
  ])('%s is not there', async (path) => {
    expect(await request(`GET ${path}`)).toMatch(/^HTTP\/1\.1 404 /);
  });

  test('it is read and nothing else', async () => {
    expect(await request('POST /')).toMatch(/^HTTP\/1\.1 405 /);
    expect(await request('HEAD /')).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\n$/);
  });

  test('a page may run its own scripts and no other', async () => {
    const policy = (await fetch(`http://127.0.0.1:${port}/`)).headers.get('content-security-policy');
    expect(policy).toMatch(/default-src 'none'; script-src 'self' 'sha256-[\w+/]{43}='; style-src 'self';/);
    expect(policy).not.toContain('unsafe');
  });
});

interface Run {
  exitCode: number;
  stderr: string;
}

async function run(...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'run.ts'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [stderr, [exitCode]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  return { exitCode, stderr };
}

describe('npm run example', () => {
  test('says that no broker is there, and how to start one', async () => {
    const broker = `ws://127.0.0.1:${await freePort()}/mqtt`;
    const example = await startExample('gauge', broker);
    expect(example.output()).toContain(`No broker takes WebSockets at ${broker} yet`);
    expect(example.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?broker=ws%3A%2F%2F127/);
    await example.stop();
  });

  test('says that its port is in use', async () => {
    const { exitCode, stderr } = await run('gauge', '--port', String(port));
    expect(stderr).toContain(`Port ${port} is in use`);
    expect(exitCode).toBe(1);
  });

  test.each([
    [[], 'name one example: gauge or chat'],
    [['gauge', 'chat'], 'name one example'],
    [['guage'], "no example is called 'guage'"],
    [['../packages'], "no example is called '../packages'"],
    [['constructor'], "no example is called 'constructor'"],
    [['chat', '--port', '70000'], '--port must be a number from 0 to 65535'],
    [['chat', '--broker', 'mqtt://127.0.0.1'], '--broker must be like ws://127.0.0.1:8083/mqtt'],
    [['chat', '--brokr', 'x'], '--brokr'],
  ])('refuses %j', async (args, message) => {
    const { exitCode, stderr } = await run(...args);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });
});
