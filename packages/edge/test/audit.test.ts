/** The audit log of a running node, and its file when the disk is full. */
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { changePassword } from '@dunlin/auth';
import type { LogEvent, Logger } from '@dunlin/broker/ports';
import { loadConfiguration } from '@dunlin/config';
import { Conversation } from '@dunlin/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AuditFile, waitingBytesMax } from '../src/audit/audit-file.ts';
import { SmallNode } from './support/small-node.ts';

let directory: string;
const closing: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-audit-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(directory, { recursive: true });
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Records of a file, once there are as many of this event. */
async function records(file: string, event: string, count = 1): Promise<Record<string, unknown>[]> {
  for (;;) {
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    const all = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    if (all.filter((record) => record.event === event).length >= count) return all;
    await turn();
  }
}

function addUser(file: string, userName: string, create = false): Promise<void> {
  return changePassword({ file, userName, password: 'right', create });
}

async function startNode(settings: Record<string, string> = {}): Promise<{ node: SmallNode; file: string }> {
  const file = join(directory, 'audit.log');
  const passwordFile = join(directory, 'users');
  await addUser(passwordFile, 'ann', true);
  const all = { 'audit.file': file, 'authentication.passwordFile': passwordFile, ...settings };
  const node = await SmallNode.start(all);
  closing.push(() => node.stop());
  return { node, file };
}

async function signIn(node: SmallNode, clientId: string, password: string): Promise<Conversation> {
  const client = await Conversation.open(node.url('tcp'));
  closing.push(() => client.drop());
  client.sendConnect({ clientId, userName: 'ann', password });
  return client;
}

test('a node says who signed in, was refused and took over, and that it started and stopped', async () => {
  const { node, file } = await startNode();
  const first = await signIn(node, 'gauge', 'right');
  await first.expectPacket({ type: 'connack', reasonCode: 0 });
  const second = await signIn(node, 'gauge', 'right');
  await second.expectPacket({ type: 'connack', reasonCode: 0 });
  await (await signIn(node, 'thief', 'a wrong password')).expectPacket({ type: 'connack', reasonCode: 0x87 });
  const all = await records(file, 'sign-in.refused');
  expect(all.map(({ event }) => event)).toEqual([
    'node.started',
    'sign-in.accepted',
    'sign-in.accepted',
    'session.taken-over',
    'sign-in.refused',
  ]);
  expect(all[1]).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    ...{ kind: 'audit', node: 'test', worker: 0, event: 'sign-in.accepted', client: 'gauge', user: 'ann' },
    ...{ address: expect.stringMatching(/^127\.0\.0\.1:\d+$/), listener: expect.any(String), version: '5.0' },
    method: 'password-file',
  });
  expect(all[4]).toMatchObject({
    client: 'thief',
    user: '',
    claimedUser: 'ann',
    method: 'password-file',
    code: '0x87',
  });
  expect(readFileSync(file, 'utf8')).not.toMatch(/a wrong password|"right"/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  await node.stop();
  expect((await records(file, 'node.stopped')).at(-1)?.event).toBe('node.stopped');
});

test('SIGHUP opens the file anew, and says what has changed, by whom', async () => {
  const { node, file } = await startNode();
  await records(file, 'node.started');
  renameSync(file, `${file}.1`);
  await addUser(join(directory, 'users'), 'bob');
  const flags = [{ flag: '--set', path: 'log.level', value: 'warn' }];
  node.node.reload(loadConfiguration({ flags }).configuration);
  while (statSync(file, { throwIfNoEntry: false }) === undefined) await turn();
  const all = await records(file, 'access.changed');
  expect(all.find(({ event }) => event === 'access.changed')).toMatchObject({
    by: 'SIGHUP',
    files: ['authentication.passwordFile'],
  });
  const changed = [...all, ...(await records(`${file}.1`, 'node.started'))];
  expect(changed.find(({ event }) => event === 'configuration.changed')).toMatchObject({
    by: 'SIGHUP',
    keys: expect.arrayContaining(['log.level']),
  });
});

describe('a file on a disk that is full', () => {
  function open(target: string): { file: AuditFile; names: string[] } {
    const names: string[] = [];
    const add = ({ name }: LogEvent, ..._fields: unknown[]): void => void names.push(name);
    const logger: Logger = { debug: add, info: add, warn: add, error: add };
    const file = new AuditFile({ target, logger, droppedRecord: (count) => `{"dropped":${count}}\n` });
    closing.push(() => file.close());
    return { file, names };
  }

  test('holds nobody up; what is beyond the bound is counted, and told when there is room again', async () => {
    const target = join(directory, 'full.log');
    symlinkSync('/dev/full', target);
    const { file, names } = open(target);
    const line = `${JSON.stringify({ text: 'x'.repeat(1000) })}\n`;
    const count = Math.ceil((2 * waitingBytesMax) / line.length);
    for (let index = 0; index < count; index++) file.add(line);
    while (!names.includes('audit.write-failed')) await turn();
    expect(file.dropped).toBe(count - Math.floor(waitingBytesMax / line.length));
    unlinkSync(target);
    file.reopen();
    while (!names.includes('audit.written-again')) await turn();
    await file.close();
    const lines = readFileSync(target, 'utf8').split('\n').slice(0, -1);
    expect(lines.slice(0, -1).every((each) => `${each}\n` === line)).toBe(true);
    expect(lines).toHaveLength(count - file.dropped + 1);
    expect(lines.at(-1)).toBe(`{"dropped":${file.dropped}}`);
    expect(names).toEqual(['audit.write-failed', 'audit.written-again']);
  });

  test('does not hold up a node: clients sign in', async () => {
    const { node } = await startNode({ 'audit.file': '/dev/full', 'log.level': 'error' });
    await (await signIn(node, 'gauge', 'right')).expectPacket({ type: 'connack', reasonCode: 0 });
  });

  test('that cannot be opened stops the start', async () => {
    await expect(startNode({ 'audit.file': join(directory, 'none', 'audit.log') })).rejects.toThrow(
      /ENOENT.*audit\.log/,
    );
  });
});
