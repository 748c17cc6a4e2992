import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { type AppendRequest, partsOf, StoreError } from '@dunlin/broker';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RemoteStore } from '../src/store/remote-store.ts';
import { StoreServer } from '../src/store/store-server.ts';

let port: MessagePort;
let remote: RemoteStore;
/** Calls that arrived, in order. */
let seen: unknown[][];
/** Answers by method; a call that has none is answered with nothing. */
let answers: Record<string, (...parameters: never[]) => unknown>;

beforeEach(() => {
  const channel = new MessageChannel();
  port = channel.port1;
  seen = [];
  answers = { 'sessions.owners': () => [] };
  const store = partsOf((method) => async (...parameters) => {
    seen.push([method, ...parameters]);
    return answers[method]?.(...(parameters as never[]));
  });
  new StoreServer(store, channel.port2);
  remote = new RemoteStore('memory', port);
});
afterEach(() => port.close());

const key = { clientId: 'c', epoch: 1 };
const request = (record: Uint8Array): AppendRequest => ({
  filters: ['a/#'],
  record,
  expiresAt: Number.POSITIVE_INFINITY,
  producer: null,
  inbound: null,
});

test('calls arrive in the order they were made, those of one turn as one message', async () => {
  let messages = 0;
  const post = port.postMessage.bind(port);
  port.postMessage = (message: unknown) => {
    messages++;
    post(message);
  };
  const release = remote.sessions.release(key, {}, 1);
  const count = remote.sessions.count();
  const trim = remote.logs.trim({ messagesMax: 1, bytesMax: 1 }, 5);
  await Promise.all([release, count, trim]);
  expect(seen.map(([method]) => method)).toEqual(['sessions.release', 'sessions.count', 'logs.trim']);
  expect(seen[2]).toEqual(['logs.trim', { messagesMax: 1, bytesMax: 1 }, 5]);
  expect(messages).toBe(1);
});

test('bytes arrive as they were, without the chunk they were cut from', async () => {
  answers['logs.append'] = () => [[7]];
  const chunk = Buffer.alloc(1 << 20, 'x');
  expect(await remote.logs.append([request(chunk.subarray(10, 14))], 1)).toEqual([[7]]);
  const [arrived] = seen[0][1] as AppendRequest[];
  expect(Buffer.from(arrived.record).toString()).toBe('xxxx');
  expect(arrived.record.buffer.byteLength).toBe(4);
  expect(arrived.expiresAt).toBe(Number.POSITIVE_INFINITY);
  expect(chunk.length).toBe(1 << 20);
});

test('answers keep their bytes, too', async () => {
  const page = Buffer.from('...record...');
  answers['logs.read'] = () => ({
    entries: [{ sequence: 1, record: page.subarray(3, 9), expiresAt: 0 }],
    lastSequence: 1,
    firstSequence: 1,
  });
  const { entries } = await remote.logs.read('a', 1, 1, 1, 1);
  expect(Buffer.from(entries[0].record).toString()).toBe('record');
  expect(entries[0].record.buffer.byteLength).toBe(6);
});

test.each(['fenced', 'unavailable', 'unknown-session', 'closed', 'corrupt'] as const)(
  'an error keeps its code: %s',
  async (code) => {
    answers['sessions.update'] = () => {
      throw new StoreError(code, 'because');
    };
    const failed = remote.sessions.update(key, {});
    await expect(failed).rejects.toBeInstanceOf(StoreError);
    await expect(failed).rejects.toMatchObject({ code, message: 'because' });
  },
);

test('an error that is no store error counts as unavailable', async () => {
  answers['sessions.update'] = () => {
    throw new TypeError('odd');
  };
  await expect(remote.sessions.update(key, {})).rejects.toMatchObject({ code: 'unavailable', message: 'odd' });
});

test('when the other thread ends, what waits is rejected, and so is what comes later', async () => {
  answers['retained.count'] = () => new Promise(() => undefined);
  const waiting = remote.retained.count();
  await remote.sessions.owners();
  port.close();
  await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
  await expect(remote.retained.count()).rejects.toMatchObject({ code: 'unavailable' });
});

test('close waits for what was begun; later calls are refused', async () => {
  let finish = (_count: number) => {};
  answers['retained.count'] = () =>
    new Promise((resolve) => {
      finish = resolve;
    });
  const waiting = remote.retained.count();
  await remote.sessions.owners();
  let closed = false;
  const closing = remote.close().then(() => {
    closed = true;
  });
  await expect(remote.retained.count()).rejects.toMatchObject({ code: 'closed' });
  expect(closed).toBe(false);
  finish(3);
  expect(await waiting).toBe(3);
  await closing;
});
