/**
 * Negotiation between a client and a TLS listener before the first MQTT byte: ciphers, and the protocol by its name
 * (ALPN).
 */
import type { TLSSocket } from 'node:tls';
import { encodePacket } from '@dunlin/protocol';
import { connectPacket, TestAuthority } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ListenerNode } from './listener-node.ts';
import { fateOf, openTls } from './tls-client.ts';

let authority: TestAuthority;
let listening: ListenerNode;
beforeAll(async () => {
  authority = await TestAuthority.make();
  const rsa = await authority.issue('server', { keyType: 'rsa' });
  const named = await authority.issue('b', { subjectAltNames: ['DNS:b.example'], keyType: 'rsa' });
  listening = await ListenerNode.start([
    { url: 'tls://127.0.0.1:0', certificates: [rsa, named] },
    { url: 'wss://127.0.0.1:0', ...rsa },
  ]);
});
afterAll(async () => {
  await listening?.stop();
  await authority.remove();
});

describe('ciphers of TLS 1.2', () => {
  const cipherOf = async (ciphers: string, servername = ''): Promise<string> => {
    const socket = await openTls(listening.port(0), {
      maxVersion: 'TLSv1.2',
      ciphers: `${ciphers}:@SECLEVEL=0`,
      servername,
    });
    const { name } = socket.getCipher();
    socket.destroy();
    return name;
  };

  test.each(['AES128-SHA', 'AES256-SHA'])(
    '%s, whose key exchange is static RSA and whose MAC is SHA-1, is refused',
    async (cipher) => {
      await expect(cipherOf(cipher)).rejects.toThrow(/handshake failure|no ciphers available/);
      await expect(cipherOf(cipher, 'b.example')).rejects.toThrow(/handshake failure|no ciphers available/);
    },
  );

  test.each([
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-RSA-CHACHA20-POLY1305',
    'ECDHE-RSA-AES128-SHA',
    'AES128-GCM-SHA256',
    'AES128-SHA256',
  ])('%s, of small devices too, is taken', async (cipher) => {
    expect(await cipherOf(cipher)).toBe(cipher);
  });
});

describe('the name of the protocol (ALPN)', () => {
  const agreed = async (listener: number, names: string[]): Promise<TLSSocket['alpnProtocol']> => {
    const socket = await openTls(listening.port(listener), { ALPNProtocols: names });
    const { alpnProtocol } = socket;
    socket.destroy();
    return alpnProtocol;
  };

  test('who asks for mqtt gets it, wherever it stands', async () => {
    expect(await agreed(0, ['mqtt'])).toBe('mqtt');
    expect(await agreed(0, ['x-amzn-mqtt-ca', 'mqtt'])).toBe('mqtt');
  });

  test('who names a WebSocket’s protocol gets http/1.1 there, not HTTP/2', async () => {
    expect(await agreed(1, ['http/1.1'])).toBe('http/1.1');
    expect(await agreed(1, ['h2', 'http/1.1'])).toBe('http/1.1');
  });

  test('who asks for nothing, or for a name of its own, is served as well', async () => {
    const hello = encodePacket(connectPacket({ version: 4, clientId: 'someone' }), 4);
    expect(await agreed(0, [])).toBe(false);
    expect(await fateOf(listening.port(0), {}, hello)).toBe('accepted');
    expect(await fateOf(listening.port(0), { ALPNProtocols: ['x-amzn-mqtt-ca'] }, hello)).toBe('accepted');
    expect(await fateOf(listening.port(0), { ALPNProtocols: ['mqtt'] }, hello)).toBe('accepted');
  });
});
