import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type RedisServer, startNats, startRedis } from '@dunlin/testkit';
import { connect, type IConnackPacket, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { ExampleProcess } from '../example-process.ts';

// README.md, command by command, in its order, with a real Redis, real NATS, real nodes and real devices. Only ports and places differ.

const root = join(import.meta.dirname, '../..');
const dunlin = `${process.execPath} --conditions=source ${join(root, 'packages/cli/bin/dunlin.js')}`;
/** Command as README.md has it. */
const adding = `read -r DEVICE_UUID DEVICE_SECRET < <(${dunlin} token add --config dunlin.yaml)\necho "$DEVICE_UUID"`;
/** A revoked token ends its connections within this. */
const revokedMilliseconds = 1_000;
/** A story starts up to twenty programs one after the other, each in about a second on a busy machine. */
const storyMilliseconds = 60_000;

let folder: string;
let redis: RedisServer;
let ports: { one: number; two: number; nats: number };
/** Commands of README.md for one broker, and for two. */
let commands: { alone: string[]; together: string[] };
/** Values of the token that was made last. */
let device = { DEVICE_UUID: '', DEVICE_SECRET: '' };
const running: ExampleProcess[] = [];
const clients: MqttClient[] = [];

beforeAll(async () => {
  redis = await startRedis();
  ports = { one: await freePort(), two: await freePort(), nats: await freePort() };
  folder = await mkdtemp(join(tmpdir(), 'sign-in-'));
  await cp(join(import.meta.dirname, 'rules.yaml'), join(folder, 'rules.yaml'));
  const configuration = await readFile(join(import.meta.dirname, 'dunlin.yaml'), 'utf8');
  const [before, after] = [
    configuration,
    configuration.replace(':1883', `:${ports.one}`).replace(':6379', `:${redis.port}`),
  ];
  expect(after).not.toBe(before);
  await writeFile(join(folder, 'dunlin.yaml'), after);
  const text = await readFile(join(import.meta.dirname, 'README.md'), 'utf8');
  const [alone, together] = text.split('## On any node');
  commands = { alone: shellBlocks(alone), together: shellBlocks(together) };
  expect(await run(next('alone', 'npx dunlin passwd'))).toMatchObject({ code: 0 });
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
  await Promise.all(running.splice(0).map((program) => program.end('SIGKILL')));
});
afterAll(async () => {
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

function shellBlocks(text: string): string[] {
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block.trim());
}

type Part = 'alone' | 'together';

/** The next command of this part of README.md, which begins so, as it runs here. */
function next(part: Part, beginning: string): string {
  const block = commands[part].shift() ?? 'nothing';
  expect(block.slice(0, beginning.length)).toBe(beginning);
  return block
    .replaceAll('npx dunlin', dunlin)
    .replaceAll('npx node', process.execPath)
    .replaceAll('../../.cache/venv/bin/python', join(root, '.cache/python/bin/python'))
    .replace(/device\.(py|ts)$/, `$& 127.0.0.1 ${ports.one}`)
    .replace(/device\.(py|ts)/, join(import.meta.dirname, '$&'))
    .replace(/\bmosquitto_pub /, `$&-p ${ports.one} `)
    .replace(/\bmosquitto_sub /, `stdbuf -oL $&-d -p ${ports.one} `)
    .replace(/\b1883$/, String(ports.one))
    .replaceAll('1884', String(ports.two))
    .replaceAll('4222', String(ports.nats));
}

/** Starts a command that goes on. */
function start(command: string): ExampleProcess {
  const program = new ExampleProcess(['bash', '-c', `cd ${folder} && exec ${command}`], device);
  running.push(program);
  return program;
}

/** Runs commands to their end. */
async function run(commands: string): Promise<{ code: unknown; output: string }> {
  const program = new ExampleProcess(['bash', '-c', `cd ${folder} && ${commands}`], device);
  running.push(program);
  return { code: await program.ended(), output: program.output };
}

async function addToken(commands: string): Promise<void> {
  const { output } = await run(`${commands}\necho "secret $DEVICE_SECRET"`);
  const found = /^([0-9a-f-]{36})\nsecret (\S{16,})$/m.exec(output);
  expect(found, output).not.toBeNull();
  device = { DEVICE_UUID: found![1], DEVICE_SECRET: found![2] };
}

/** Revokes the token, and looks at how long its devices stay after the command has ended: the token was gone some time before. */
async function revoke(command: string, devices: readonly ExampleProcess[]): Promise<void> {
  const ends = devices.map(async (program) => {
    await program.until(/^the broker said: (Not authorized|0x87)$/);
    return performance.now();
  });
  const { code, output } = await run(command);
  const revoked = performance.now();
  expect(code, output).toBe(0);
  for (const end of await Promise.all(ends)) expect(end - revoked).toBeLessThan(revokedMilliseconds);
  for (const program of devices) expect(await program.ended()).toBe(1);
}

async function startBroker(part: Part): Promise<ExampleProcess> {
  const broker = start(next(part, 'npx dunlin start'));
  await broker.until(/"event":"node.started"/);
  return broker;
}

test(
  'a token, its devices, what is refused, and its end',
  async () => {
    const broker = await startBroker('alone');
    await addToken(next('alone', 'read -r DEVICE_UUID DEVICE_SECRET'));
    const uuid = device.DEVICE_UUID;

    const operator = start(next('alone', 'mosquitto_sub -V 5 -u operator'));
    await operator.until(/received SUBACK/);
    // Done by .ci/install-test-programs.
    expect(next('alone', 'python3 -m venv')).toContain('../sensors/requirements.txt');
    const python = start(next('alone', '../../.cache/venv/bin/python device.py'));
    const typescript = start(next('alone', 'npx node device.ts'));
    for (const program of [python, typescript]) {
      await program.until(new RegExp(`^signed in as ${uuid}$`));
      await program.until(/^commands come$/);
      await program.until(/^state \d+ taken$/);
    }
    expect(await run(next('alone', 'mosquitto_pub'))).toMatchObject({ code: 0 });
    await operator.until(new RegExp(`^devices/${uuid}/state/pump on$`));
    expect(operator.output).toContain(`devices/${uuid}/state/python running`);
    expect(operator.output).toContain(`devices/${uuid}/state/typescript running`);
    expect(await run(next('alone', 'mosquitto_pub -V 5 -u operator'))).toMatchObject({ code: 0 });
    await python.until(/^command: stop$/);

    for (const who of ['-u 00000000', '-u "$DEVICE_UUID" -P guess', '-q 1']) {
      const { code, output } = await run(next('alone', `mosquitto_pub -V 5 ${who}`));
      expect(output).toContain('Connection error: Not authorized');
      expect(code).not.toBe(0);
    }
    const foreign = await run(
      next('alone', 'mosquitto_pub -V 5 -u "$DEVICE_UUID" -P "$DEVICE_SECRET" -q 1 -t devices/00000000'),
    );
    expect(foreign.output).toMatch(/Publish 1 failed: Not authorized/);
    expect((await run(next('alone', 'mosquitto_sub'))).output).toContain('All subscription requests were denied');

    expect((await run(next('alone', 'npx dunlin token list'))).output).toContain(uuid);
    await revoke(next('alone', 'npx dunlin token revoke'), [python, typescript]);
    expect((await run(next('alone', 'mosquitto_pub -V 5 -u "$DEVICE_UUID"'))).output).toContain(
      'Connection error: Not authorized',
    );
    // Nothing of what was refused has reached anybody: what the operator has got is all of one device.
    const topics = [...operator.output.matchAll(/^devices\/\S+/gm)].map(([topic]) => topic);
    expect(topics.filter((topic) => !topic.startsWith(`devices/${uuid}/`))).toEqual([]);
    expect(operator.output.match(/^devices\/.*\/state\/pump .*$/gm)).toHaveLength(1);
    expect(commands.alone).toEqual([]);
    expect(await broker.end()).toBe(0);
  },
  storyMilliseconds,
);

test(
  'a token that is revoked ends its devices on any node',
  async () => {
    const nats = await startNats({ port: ports.nats });
    const nodes = await Promise.all([startBroker('together'), startBroker('together')]);
    // Made as the first one.
    await addToken(adding);
    const devices = [
      start(next('together', '../../.cache/venv/bin/python device.py')),
      start(next('together', 'npx node device.ts')),
    ];
    for (const program of devices) await program.until(/^state \d+ taken$/);
    await revoke(next('together', 'npx dunlin token revoke'), devices);
    expect(commands.together).toEqual([]);
    await Promise.all(nodes.map((node) => node.end()));
    await nats.stop();
  },
  storyMilliseconds,
);

/** A client of the device with a stored session, and the messages that it gets. */
async function signIn(
  url: string,
  clientId: string,
): Promise<{ client: MqttClient; isResumed: boolean; got: string[] }> {
  const { DEVICE_UUID: username, DEVICE_SECRET: password } = device;
  const session = { clientId, clean: false, properties: { sessionExpiryInterval: 60 } };
  const client = connect(url, { protocolVersion: 5, ...session, username, password, reconnectPeriod: 0 });
  clients.push(client);
  const got: string[] = [];
  client.on('message', (_topic, payload) => got.push(String(payload)));
  const { sessionPresent } = await new Promise<IConnackPacket>((resolve, reject) => {
    client.once('connect', resolve);
    client.once('error', reject);
  });
  return { client, isResumed: sessionPresent, got };
}

test(
  'a session belongs to the device that connected with its client identifier first, as README.md says',
  async () => {
    const broker = start(`${dunlin} start --config dunlin.yaml`);
    await broker.until(/"event":"node.started"/);
    const url = `mqtt://127.0.0.1:${ports.one}`;
    await addToken(adding);
    const topic = `devices/${device.DEVICE_UUID}/commands/pump`;
    const owner = await signIn(url, 'pump');
    await owner.client.subscribeAsync(topic, { qos: 1 });
    await owner.client.endAsync();
    const options = { username: 'operator', password: 'correct-horse', reconnectPeriod: 0 };
    const operator = connect(url, { protocolVersion: 5, ...options });
    clients.push(operator);
    await operator.publishAsync(topic, 'queued for the owner', { qos: 1 });

    const first = device;
    await addToken(adding);
    await expect(signIn(url, 'pump')).rejects.toThrow(/Not authorized/);
    const fresh = await signIn(url, 'other-pump');
    expect(fresh.isResumed).toBe(false);
    device = first;
    const back = await signIn(url, 'pump');
    expect(back.isResumed).toBe(true);
    await vi.waitFor(() => expect(back.got).toEqual(['queued for the owner']));
  },
  storyMilliseconds,
);
