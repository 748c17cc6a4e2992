/** Web pages that may connect without being named. */
import { once } from 'node:events';
import { request } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { SmallNode } from './support/small-node.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Status of the answer to a page of this origin that asks this host. */
async function statusOf(node: SmallNode, host: string, origin: string): Promise<number> {
  const { port } = new URL(node.url('ws'));
  const headers = {
    ...{ host, origin, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-protocol': 'mqtt' },
    ...{ 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' },
  };
  const asked = request({ port, host: '127.0.0.1', path: '/mqtt', headers });
  asked.end();
  const upgraded = once(asked, 'upgrade').then(([response, socket]) => {
    socket.destroy();
    return response;
  });
  const [response] = await Promise.race([once(asked, 'response'), upgraded.then((one) => [one])]);
  return response.statusCode;
}

test('a page whose name was pointed at this machine cannot use a listener that asks nobody', async () => {
  const node = await SmallNode.start();
  closing.push(() => node.stop());
  expect(await statusOf(node, 'evil.example', 'http://evil.example')).toBe(403);
  expect(await statusOf(node, 'localhost:8083', 'http://localhost:8080')).toBe(101);
  expect(await statusOf(node, '127.0.0.1:8083', 'http://127.0.0.1')).toBe(101);
  const named = await SmallNode.start({
    listeners: 'tcp://127.0.0.1:0,ws://127.0.0.1:0/mqtt?origins=http://good.example',
  });
  closing.push(() => named.stop());
  expect(await statusOf(named, 'good.example', 'http://good.example')).toBe(101);
});
