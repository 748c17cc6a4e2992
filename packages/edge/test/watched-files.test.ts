/** Files that are replaced while a node runs, as cert-manager and Kubernetes do: nobody sends a signal. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { changePassword } from '@dunlin/auth';
import type { LogEvent } from '@dunlin/broker/ports';
import { Conversation, type IssuedCertificate, TestAuthority, withDeadline } from '@dunlin/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SmallNode } from './support/small-node.ts';

/** Promise of docs/operations.md. */
const lateMilliseconds = 10_000;

let authority: TestAuthority;
let directory: string;
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  authority = await TestAuthority.make();
  directory = mkdtempSync(join(tmpdir(), 'dunlin-watched-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await authority.remove();
  rmSync(directory, { recursive: true });
});

const path = (name: string): string => join(directory, name);

/** Puts a pair where a mounted Secret has it: files are links through `..data`, which is replaced as a whole. */
function mount(name: string, { cert, key }: IssuedCertificate): void {
  mkdirSync(path(name));
  copyFileSync(cert, join(path(name), 'tls.crt'));
  copyFileSync(key, join(path(name), 'tls.key'));
  symlinkSync(name, path('..new'));
  renameSync(path('..new'), path('..data'));
}

async function start(settings: Record<string, string>): Promise<{ node: SmallNode; events: string[] }> {
  const listeners = `tcp://127.0.0.1:0,tls://127.0.0.1:0?cert=${path('tls.crt')}&key=${path('tls.key')}`;
  const node = await SmallNode.start({ listeners, ...settings });
  closing.push(() => node.stop());
  const events: string[] = [];
  node.node.logger.error = ({ name }: LogEvent): void => void events.push(name);
  return { node, events };
}

/** Serial number of the certificate that clients are shown. */
async function shown(node: SmallNode): Promise<string> {
  const address = node.node.addresses.find(({ kind }) => kind === 'tls');
  if (address === undefined || address.kind === 'unix') throw new TypeError('no listener with TLS');
  const socket = connect({ port: address.port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

const serialOf = ({ cert }: IssuedCertificate): string => new X509Certificate(readFileSync(cert)).serialNumber;

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  let isOver = false;
  const looking = async (): Promise<void> => {
    while (!isOver && !(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await withDeadline(looking(), () => `${what} did not come`, lateMilliseconds).finally(() => {
    isOver = true;
  });
}

test('a renewed pair is shown within ten seconds; a certificate without its key is not', {
  timeout: 60_000,
}, async () => {
  const [first, second, third] = [await authority.issue('a'), await authority.issue('b'), await authority.issue('c')];
  mount('..1', first);
  for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), path(name));
  const { node, events } = await start({});
  expect(await shown(node)).toBe(serialOf(first));
  mount('..2', second);
  await until('the renewed certificate', async () => (await shown(node)) === serialOf(second));
  expect(events).toEqual([]);
  // In the place of the file, as a plain copy: the key comes later.
  copyFileSync(third.cert, path('..2/tls.crt'));
  await until('the refusal', () => events.includes('certificates.reload-failed'));
  expect(await shown(node)).toBe(serialOf(second));
  copyFileSync(third.key, path('..2/tls.key'));
  await until('the whole pair', async () => (await shown(node)) === serialOf(third));
  expect(events).toEqual(['certificates.reload-failed']);
});

test('users are taken up within ten seconds, and a file that cannot be read changes nothing', {
  timeout: 60_000,
}, async () => {
  const file = path('users');
  const add = (userName: string): Promise<void> =>
    changePassword({ file, userName, password: 'right', create: userName === 'ann' });
  await add('ann');
  mount('..1', await authority.issue('a'));
  for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), path(name));
  const { node, events } = await start({ 'authentication.passwordFile': file });
  const signIn = async (userName: string): Promise<number> => {
    const client = await Conversation.open(node.url('tcp'));
    const { reasonCode } = await client.introduce({ clientId: 'c', userName, password: 'right' });
    client.drop();
    return reasonCode;
  };
  expect(await signIn('bob')).toBe(0x87);
  await add('bob');
  await until('the new user', async () => (await signIn('bob')) === 0);
  renameSync(file, `${file}.gone`);
  await until('the refusal', () => events.includes('access.reload-failed'));
  expect(await signIn('ann')).toBe(0);
});
