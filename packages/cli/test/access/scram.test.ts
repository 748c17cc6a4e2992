import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectPacket, type PacketOf, WireClient } from '@dunlin/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Dunlin, run, startBroker } from '../command.ts';
import { answerTo, publish, subscribe } from './entering.ts';

const method = 'SCRAM-SHA-256';
const continueAuthentication = 0x18;
const reAuthenticate = 0x19;
const notAuthorized = 0x87;
const badAuthenticationMethod = 0x8c;

let directory: string;
let broker: Dunlin;
let url: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-scram-'));
  const file = join(directory, 'users');
  await run(['passwd', '-c', '--scram', '-b', file, 'ann', 'secret']);
  await run(['passwd', '-b', file, 'bob', 'secret']);
  const started = await startBroker(['--workers', '1', '--password-file', file]);
  broker = started.broker;
  url = `mqtt://127.0.0.1:${started.port}`;
});
afterAll(async () => {
  broker.child.kill('SIGKILL');
  await broker.finished;
  rmSync(directory, { recursive: true });
});

/** The client's side of one exchange (RFC 5802, section 3). */
class ScramClient {
  readonly #password: string;
  readonly #bare: string;
  #signature = '';

  constructor(userName: string, password: string) {
    this.#password = password;
    this.#bare = `n=${userName},r=fyko+d2lbbFgONRv9qkxdawL`;
  }

  get first(): Buffer {
    return Buffer.from(`n,,${this.#bare}`);
  }

  /** The answer to what the server said first. */
  final(serverFirst: Buffer): Buffer {
    const said = serverFirst.toString();
    const [, nonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(said) ?? [];
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256');
    const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
    const clientKey = hmac(salted, 'Client Key');
    const storedKey = createHash('sha256').update(clientKey).digest();
    const withoutProof = `c=biws,r=${nonce}`;
    const authMessage = `${this.#bare},${said},${withoutProof}`;
    const proof = clientKey.map((byte, index) => byte ^ hmac(storedKey, authMessage)[index]);
    this.#signature = hmac(hmac(salted, 'Server Key'), authMessage).toString('base64');
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`);
  }

  /** Last message of a server that knows the verifier. */
  get serverFinal(): string {
    return `v=${this.#signature}`;
  }
}

const auth = (reasonCode: number, authenticationData: Buffer): PacketOf<'auth'> => ({
  type: 'auth',
  reasonCode,
  properties: { authenticationMethod: method, authenticationData },
});

/** Goes through CONNECT and AUTH up to the last message of the client. */
async function knock(userName: string, password: string): Promise<{ wire: WireClient; scram: ScramClient }> {
  const scram = new ScramClient(userName, password);
  const wire = await WireClient.open(url);
  const properties = { authenticationMethod: method, authenticationData: scram.first };
  wire.send(connectPacket({ clientId: userName, properties }));
  const asked = await wire.expectPacket({ type: 'auth', reasonCode: continueAuthentication });
  wire.send(auth(continueAuthentication, scram.final(asked.properties.authenticationData as Buffer)));
  return { wire, scram };
}

test('a client that knows the password comes in without sending it, and learns that the server knows it', async () => {
  const { wire, scram } = await knock('ann', 'secret');
  const { reasonCode, properties } = await wire.expect('connack');
  expect(reasonCode).toBe(0);
  expect(properties.authenticationMethod).toBe(method);
  expect(String(properties.authenticationData)).toBe(scram.serverFinal);
  await subscribe(wire, 't');
  await wire.drop();
});

test('the connection goes on while the client signs in again, and ends when that fails', async () => {
  const { wire } = await knock('ann', 'secret');
  await wire.expect('connack');
  const again = new ScramClient('ann', 'secret');
  wire.send(auth(reAuthenticate, again.first));
  const asked = await wire.expectPacket({ type: 'auth', reasonCode: continueAuthentication });
  expect(await publish(wire, 't')).toBe(0x10);
  wire.send(auth(continueAuthentication, again.final(asked.properties.authenticationData as Buffer)));
  const done = await wire.expectPacket({ type: 'auth', reasonCode: 0 });
  expect(String(done.properties.authenticationData)).toBe(again.serverFinal);
  const wrong = new ScramClient('ann', 'wrong');
  wire.send(auth(reAuthenticate, wrong.first));
  const next = await wire.expect('auth');
  wire.send(auth(continueAuthentication, wrong.final(next.properties.authenticationData as Buffer)));
  await wire.expectPacket({ type: 'disconnect', reasonCode: notAuthorized });
});

test('a client does not become another one by signing in again', async () => {
  const { wire } = await knock('ann', 'secret');
  await wire.expect('connack');
  wire.send(auth(reAuthenticate, new ScramClient('bob', 'secret').first));
  await wire.expectPacket({ type: 'disconnect', reasonCode: notAuthorized });
});

test.each([
  ['a wrong password', 'ann', 'wrong'],
  ['a user who is not there', 'eve', 'secret'],
  ['a user whose hash is of another kind', 'bob', 'secret'],
])('%s is refused after the same conversation', async (_, userName, password) => {
  const { wire } = await knock(userName, password);
  await wire.expectPacket({ type: 'connack', reasonCode: notAuthorized });
  await wire.expectClosed();
});

test('another mechanism is refused with its reason code', async () => {
  const wire = await WireClient.open(url);
  wire.send(connectPacket({ clientId: 'c', properties: { authenticationMethod: 'SCRAM-SHA-1' } }));
  await wire.expectPacket({ type: 'connack', reasonCode: badAuthenticationMethod });
});

test('the same line of the file is good for a plain password', async () => {
  expect(await answerTo(url, { userName: 'ann', password: 'secret', version: 4 })).toBe(0);
  expect(await answerTo(url, { userName: 'ann', password: 'wrong' })).toBe(notAuthorized);
});
