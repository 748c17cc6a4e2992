/** Passwords, authorities and certificates towards Redis and NATS are changed while nodes run: in their files, and at the servers. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfiguration } from '@dunlin/config';
import { Conversation, startNats, startRedis, TestAuthority } from '@dunlin/testkit';
import { afterEach, expect, test } from 'vitest';
import { EdgeNode } from '../src/edge-node.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Files of one side, replaced in place. */
class Files {
  readonly #directory: string;

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'dunlin-rotation-'));
    closing.push(() => rmSync(this.#directory, { recursive: true }));
  }

  path(name: string): string {
    return join(this.#directory, name);
  }

  write(name: string, text: string): string {
    writeFileSync(this.path(name), text);
    return this.path(name);
  }

  /** A certificate of this authority, and whom to trust. */
  async show(authority: TestAuthority): Promise<void> {
    const { cert, key } = await authority.issue('rotated');
    copyFileSync(authority.ca, this.path('ca.pem'));
    copyFileSync(cert, this.path('cert.pem'));
    copyFileSync(key, this.path('key.pem'));
  }
}

async function startNode(settings: Record<string, string>): Promise<EdgeNode> {
  const all = { listeners: 'tcp://127.0.0.1:0', 'cluster.name': 'rotation', 'log.level': 'error', ...settings };
  const flags = Object.entries(all).map(([path, value]) => ({ flag: '--set', path, value }));
  const node = new EdgeNode(loadConfiguration({ flags }).configuration, { version: '0' });
  closing.push(() => node.stop());
  await node.start();
  return node;
}

async function client(node: EdgeNode): Promise<Conversation> {
  const tcp = node.addresses.find((address) => address.kind === 'tcp');
  const made = await Conversation.open(`mqtt://127.0.0.1:${tcp?.port ?? 0}`);
  await made.connect();
  closing.push(() => made.drop());
  return made;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

const aclOf = (password: string): string => `user default on >${password} ~* &* +@all\n`;
const natsUsers = (password: string): string[] => [`authorization { user: dunlin, password: "${password}" }`];

test('nodes of two workers follow by themselves, and deliver', { timeout: 60_000 }, async () => {
  const [old, young] = await Promise.all([TestAuthority.make('old'), TestAuthority.make('young')]);
  closing.push(
    () => old.remove(),
    () => young.remove(),
  );
  const [server, own] = [new Files(), new Files()];
  await Promise.all([server.show(old), own.show(old)]);
  const tls = { ca: server.path('ca.pem'), certificate: server.path('cert.pem'), key: server.path('key.pem') };
  const acl = server.write('users.acl', aclOf('first-of-redis'));
  const redis = await startRedis({ appendOnly: true, tls, args: ['--tls-auth-clients', 'yes', '--aclfile', acl] });
  closing.push(() => redis.stop());
  const nats = await startNats({
    tls: { ca: tls.ca, cert: tls.certificate, key: tls.key },
    configuration: natsUsers('first-of-nats'),
  });
  closing.push(() => nats.stop());
  const certificates = (part: string) => ({
    [`${part}.tlsCaFile`]: own.path('ca.pem'),
    [`${part}.tlsCertificateFile`]: own.path('cert.pem'),
    [`${part}.tlsKeyFile`]: own.path('key.pem'),
  });
  const settings = {
    workers: '2',
    'store.url': `rediss://127.0.0.1:${redis.port}`,
    'store.passwordFile': own.write('redis-password', 'first-of-redis\n'),
    'backplane.url': `tls://dunlin@127.0.0.1:${nats.port}`,
    'backplane.passwordFile': own.write('nats-password', 'first-of-nats\n'),
    ...certificates('store'),
    ...certificates('backplane'),
  };
  const nodes = await Promise.all(['one', 'two'].map((nodeId) => startNode({ ...settings, nodeId })));
  const [publisher, subscriber] = await Promise.all(nodes.map(client));
  await subscriber.subscribe('news', 1);
  await publisher.publish({ topic: 'news', payload: 'before', qos: 1 });
  expect(String((await subscriber.answer('publish')).payload)).toBe('before');

  // The servers first, which cuts every connection.
  await server.show(young);
  server.write('users.acl', aclOf('second-of-redis'));
  await Promise.all([redis.restart(), nats.reload(natsUsers('second-of-nats'))]);
  await nats.restart();
  for (const { readiness } of nodes) {
    await until(() => readiness.reasons.includes('store') && readiness.reasons.includes('backplane'));
  }
  await own.show(young);
  own.write('redis-password', 'second-of-redis\n');
  own.write('nats-password', 'second-of-nats\n');
  for (const { readiness } of nodes) await until(() => readiness.isReady);

  await publisher.publish({ topic: 'news', payload: 'after', qos: 1 });
  expect(String((await subscriber.answer('publish')).payload)).toBe('after');
  await publisher.publish({ topic: 'kept', payload: 'in Redis', qos: 1, retain: true });
  const reader = await client(nodes[1]);
  await reader.subscribe('kept', 1);
  expect(String((await reader.answer('publish')).payload)).toBe('in Redis');
});
