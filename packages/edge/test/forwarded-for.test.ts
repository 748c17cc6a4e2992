/** `X-Forwarded-For` of the request for a WebSocket, from proxies that are named. */
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { forwardedFor, TrustedProxies } from '../src/listeners/trusted-proxies.ts';
import { SmallNode } from './support/small-node.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Node that takes one connection of each address. */
async function start(trustedProxies: string): Promise<SmallNode> {
  const ws = `ws://127.0.0.1:0/mqtt?proxy=x-forwarded-for&trustedProxies=${trustedProxies}`;
  const node = await SmallNode.start({ 'limits.connectionsPerAddressMax': '1' }, ['tcp://127.0.0.1:0', ws]);
  closing.push(() => node.stop());
  return node;
}

/** `open`, the status of another answer, or `closed` without one. */
function outcome(node: SmallNode, forwarded: string): Promise<string | number> {
  const socket = new WebSocket(node.url('ws'), 'mqtt', { headers: { 'X-Forwarded-For': forwarded } });
  closing.push(() => socket.terminate());
  return new Promise((resolve) => {
    socket.once('open', () => resolve('open'));
    socket.once('unexpected-response', (_request, { statusCode = 0 }) => resolve(statusCode));
    socket.once('error', () => resolve('closed'));
  });
}

test('a trusted proxy says who the client is: each has its own limits', async () => {
  const node = await start('127.0.0.0/8');
  expect(await outcome(node, '203.0.113.7')).toBe('open');
  expect(await outcome(node, '203.0.113.8, 127.0.0.9')).toBe('open');
  expect(await outcome(node, '198.51.100.1, 203.0.113.7')).toBe('closed');
  expect(await outcome(node, '[2001:db8::7]:51034')).toBe('open');
  expect(await outcome(node, '2001:db8::7')).toBe('closed');
  expect(await outcome(node, 'unknown')).toBe(400);
});

test('the header of anybody else is not looked at', async () => {
  const node = await start('192.0.2.1');
  expect(await outcome(node, '203.0.113.7')).toBe('open');
  expect(await outcome(node, '203.0.113.8')).toBe('closed');
});

describe('the client in the header', () => {
  const trusted = new TrustedProxies(['10.0.0.0/8', '::1']);
  test.each([
    ['203.0.113.7', '203.0.113.7:0'],
    ['203.0.113.7:51034', '203.0.113.7:51034'],
    ['198.51.100.1, 203.0.113.7, 10.1.2.3', '203.0.113.7:0'],
    ['unknown, 203.0.113.7', '203.0.113.7:0'],
    ['2001:db8::7', '[2001:db8::7]:0'],
    ['10.1.2.3', ''],
    ['unknown', null],
    ['203.0.113.7, ', null],
    ['203.0.113.7:', null],
    ['300.0.0.1', null],
  ])('%s: %s', (header, client) => {
    expect(forwardedFor(header, trusted)).toBe(client);
  });
});
