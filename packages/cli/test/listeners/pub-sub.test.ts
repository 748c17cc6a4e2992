/** `dunlin pub` and `dunlin sub` through every kind of listener, as Mosquitto's do with the same options. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type IssuedCertificate, TestAuthority } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Dunlin, run } from '../command.ts';
import { ListenerNode } from './listener-node.ts';

let authority: TestAuthority;
let client: IssuedCertificate;
let node: ListenerNode;
/** Places of the listeners in the configuration. */
const tls = 0;
const strict = 1;
const elsewhere = 2;
const ws = 3;
const wss = 4;

beforeAll(async () => {
  authority = await TestAuthority.make();
  const own = await authority.issue('localhost');
  const foreign = await authority.issue('other.example', { subjectAltNames: ['DNS:other.example'] });
  client = await authority.issue('device-7');
  node = await ListenerNode.start([
    { url: 'tls://127.0.0.1:0', ...own },
    {
      url: 'tls://127.0.0.1:0',
      ...{ ...own, clientCa: authority.ca, clientCertificates: 'require' },
      ...{ name: 'strict', authentication: ['client-certificate'] },
    },
    { url: 'tls://127.0.0.1:0', ...foreign },
    'ws://127.0.0.1:0/mqtt',
    { url: 'wss://127.0.0.1:0/mqtt', ...own },
  ]);
});
afterAll(async () => {
  await node.stop();
  await authority.remove();
});

/** A message goes round through the listener that these words name. */
async function goesRound(words: readonly string[], topic: string): Promise<void> {
  const sub = new Dunlin(['sub', ...words, '-t', topic, '-q', '1', '-C', '1', '-v', '-d']);
  await sub.until('"type":"suback"');
  expect(await run(['pub', ...words, '-t', topic, '-q', '1', '-m', '21.5'])).toMatchObject({ code: 0, errors: '' });
  expect(await sub.finished).toMatchObject({ code: 0, output: `${topic} 21.5\n` });
}

function at(place: number): string[] {
  return ['-h', 'localhost', '-p', String(node.port(place))];
}

describe('pub and sub', () => {
  test('over TLS, with --cafile', () => goesRound([...at(tls), '--cafile', authority.ca], 'tls/cafile'));

  test('over TLS, with --capath, --tls-version and --alpn', async () => {
    const directory = join(node.directory, 'authorities');
    mkdirSync(directory);
    await copyFile(authority.ca, join(directory, 'ours.pem'));
    writeFileSync(join(directory, 'readme'), 'no certificate');
    const words = ['--capath', directory, '--tls-version', 'tlsv1.2', '--alpn', 'mqtt'];
    await goesRound([...at(tls), ...words], 'tls/capath');
  });

  test('with a certificate of their own', async () => {
    const words = ['--cafile', authority.ca, '--cert', client.cert, '--key', client.key, '--tls-version', 'tlsv1.3'];
    await goesRound([...at(strict), ...words], 'tls/certificate');
  });

  test('over a WebSocket, by its URL', () => goesRound(['-L', node.url(ws)], 'ws'));

  test('over a WebSocket with TLS, by its URL', async () => {
    await goesRound(['-L', node.url(wss).replace('127.0.0.1', 'localhost'), '--cafile', authority.ca], 'wss');
  });

  test('-L mqtts://HOST:PORT/TOPIC says everything', async () => {
    const url = `mqtts://localhost:${node.port(tls)}/all/of/it`;
    const sub = new Dunlin(['sub', '-L', url, '--cafile', authority.ca, '-C', '1', '-d']);
    await sub.until('"type":"suback"');
    await run(['pub', '-L', url, '--cafile', authority.ca, '-m', 'here']);
    expect((await sub.finished).output).toBe('here\n');
  });

  test('a certificate for another host is refused, with --insecure taken', async () => {
    const words = [...at(elsewhere), '--cafile', authority.ca];
    const refused = await run(['pub', ...words, '-t', 'a', '-m', 'x']);
    expect(refused.errors).toMatch(/cannot connect to mqtts:\/\/localhost:\d+: .*altnames.*other\.example/);
    expect(refused.code).toBe(3);
    await goesRound([...words, '--insecure'], 'insecure');
  });

  test('a certificate of an authority that is not trusted is refused, also with --insecure', async () => {
    const words = ['pub', '-L', `mqtts://localhost:${node.port(tls)}`, '-t', 'a', '-m', 'x', '--insecure'];
    const refused = await run(words);
    expect(refused.errors).toMatch(/cannot connect to mqtts:.*certificate/);
    expect(refused.code).toBe(3);
  });
});
