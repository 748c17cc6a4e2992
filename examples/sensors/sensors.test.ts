import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BrokerProcess, DeadlineError, freePort, startDunlin, withDeadline } from '@dunlin/testkit';
import { connect, type IPublishPacket, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ExampleProcess, refusalMilliseconds } from '../example-process.ts';

// The programs of this folder, as they are, against a real broker.

/** Three sensors and a reader over two ends of the broker: each waits for its client's pauses, and sends again one by one what it has kept. */
const outageMilliseconds = 75_000;

const root = join(import.meta.dirname, '../..');
const here = (file: string): string => join(import.meta.dirname, file);
let directory: string;
/** The sensors: their names, and what starts them. */
const commands: Record<string, readonly string[]> = {
  python: [join(root, '.cache/python/bin/python'), here('sensor.py')],
  c: [],
  typescript: [process.execPath, here('sensor.ts')],
};
const names = Object.keys(commands);
const programs: Record<string, string> = { python: 'sensor.py', c: 'sensor.c', typescript: 'sensor.ts' };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sensors-'));
  const program = join(directory, 'sensor');
  // As README.md says it, into another folder, and with warnings as errors.
  const [line] = /^cc .*$/m.exec(await readFile(here('README.md'), 'utf8')) ?? [''];
  const words = line.split(' ').map((word) => word.replace(/^\.cache\/sensor$/, program));
  await promisify(execFile)(words[0], ['-Werror', ...words.slice(1)], { cwd: root });
  commands.c = [program];
});
afterAll(() => rm(directory, { recursive: true, force: true }));

let broker: BrokerProcess | null = null;
const programsRunning: ExampleProcess[] = [];
const watchers: MqttClient[] = [];
afterEach(async () => {
  await Promise.all(programsRunning.splice(0).map((program) => program.end('SIGKILL')));
  await Promise.all(watchers.splice(0).map((watcher) => watcher.endAsync(true)));
  await broker?.kill();
  broker = null;
});

function run(command: readonly string[], environment: NodeJS.ProcessEnv = {}): ExampleProcess {
  const program = new ExampleProcess(command, environment);
  programsRunning.push(program);
  return program;
}

function sensor(name: string, port: number, ...words: string[]): ExampleProcess {
  return run([...commands[name], '--port', String(port), '--interval', '0.02', ...words]);
}

function reader(port: number, ...words: string[]): ExampleProcess {
  return run([process.execPath, here('reader.ts'), '--port', String(port), ...words]);
}

/** A client of this test that gets all messages of sensors; `next` returns the next one. */
async function watch(url: string, filter: string): Promise<() => Promise<IPublishPacket>> {
  const messages: IPublishPacket[] = [];
  let came = Promise.withResolvers<void>();
  const client = connect(url, { protocolVersion: 5, reconnectPeriod: 0 });
  watchers.push(client);
  client.on('message', (_topic, _payload, packet) => {
    messages.push(packet);
    came.resolve();
    came = Promise.withResolvers<void>();
  });
  client.on('error', (error) => came.reject(error));
  await client.subscribeAsync(filter, { qos: 1 });
  return async () => {
    while (messages.length === 0) await withDeadline(came.promise, () => `no message of ${filter} came`, 20_000);
    return messages.shift() as IPublishPacket;
  };
}

async function start(): Promise<BrokerProcess> {
  broker = await startDunlin({ store: 'memory', workers: 1 });
  return broker;
}

describe.each(names)('the sensor in %s', (name) => {
  test('publishes readings, says that it is there, and that it is not when it ends', async () => {
    const { url, port } = await start();
    const next = await watch(url, 'sensors/#');
    const program = sensor(name, port, '--id', 'attic', '--count', '3');
    const began = Date.now();
    const messages = [await next(), await next(), await next(), await next(), await next()];
    expect(await program.ended()).toBe(0);
    expect(program.output).toContain('ended after 3 readings; all acknowledged');
    const status = messages.filter(({ topic }) => topic === 'sensors/attic/status');
    expect(status.map(({ payload }) => payload.toString())).toEqual(['online', 'offline']);
    const readings = messages.filter(({ topic }) => topic === 'sensors/attic/temperature');
    const contents = readings.map(({ payload }) => JSON.parse(payload.toString()));
    expect(contents.map(({ number }) => number).sort()).toEqual([1, 2, 3]);
    for (const [index, { celsius, at, run }] of contents.entries()) {
      expect(celsius).toBeGreaterThan(10);
      expect(celsius).toBeLessThan(30);
      expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(Math.abs(Date.parse(at) - began)).toBeLessThan(20_000);
      expect(run).toBe(contents[0].run);
      expect(readings[index]).toMatchObject({ qos: 1, retain: false });
      expect(readings[index].properties).toMatchObject({
        contentType: 'application/json',
        payloadFormatIndicator: true,
        userProperties: { program: programs[name], schema: 'reading-1' },
      });
      const { messageExpiryInterval } = readings[index].properties ?? {};
      expect(messageExpiryInterval).toBeGreaterThan(3590);
      expect(messageExpiryInterval).toBeLessThanOrEqual(3600);
    }
    // Whoever comes later is told, too.
    const late = await watch(url, 'sensors/#');
    expect(await late()).toMatchObject({
      topic: 'sensors/attic/status',
      payload: Buffer.from('offline'),
      retain: true,
    });
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('ends cleanly at %s', async (signal) => {
    const { url, port } = await start();
    const next = await watch(url, 'sensors/+/status');
    const program = sensor(name, port);
    expect(String((await next()).payload)).toBe('online');
    await program.until(/^reading 5:/);
    expect(await program.end(signal)).toBe(0);
    expect(program.output).toMatch(/^ended after \d+ readings; all acknowledged$/m);
    expect(String((await next()).payload)).toBe('offline');
  });

  test('is said to be offline when it dies', async () => {
    const { url, port } = await start();
    const next = await watch(url, 'sensors/+/status');
    const program = sensor(name, port);
    expect(String((await next()).payload)).toBe('online');
    await program.end('SIGKILL');
    expect(await next()).toMatchObject({ topic: `sensors/${name}/status`, payload: Buffer.from('offline'), qos: 1 });
    const late = await watch(url, 'sensors/+/status');
    expect(await late()).toMatchObject({ payload: Buffer.from('offline'), retain: true });
  });

  test('waits for a broker that is not there yet, and takes its settings from the environment', async () => {
    const port = await freePort();
    const program = run(commands[name], { MQTT_PORT: String(port), SENSOR_ID: 'shed', SENSOR_INTERVAL: '0.02' });
    await program.until(/^no connection to 127\.0\.0\.1:\d+ \(.*\); readings wait$/);
    await program.until(/^reading 10: .* 10 waiting$/);
    broker = await startDunlin({ store: 'memory', workers: 1, port });
    await program.until(/^connected to 127\.0\.0\.1:\d+$/);
    expect(await program.end(), program.output).toBe(0);
    const next = await watch(broker.url, 'sensors/+/status');
    expect(await next()).toMatchObject({ topic: 'sensors/shed/status', payload: Buffer.from('offline') });
  });

  test('says at its end what was not acknowledged', async () => {
    const program = run([...commands[name], '--port', String(await freePort()), '--interval', '0.02'], {
      SENSOR_COUNT: '2',
    });
    expect(await program.ended()).toBe(1);
    expect(program.output).toContain('ended after 2 readings; 2 messages were not acknowledged');
  });

  test('ends when another takes its identifier, instead of taking it back for ever', async () => {
    const { url, port } = await start();
    const program = sensor(name, port);
    await program.until(/^connected/);
    const other = connect(url, { protocolVersion: 5, clientId: `sensor-${name}`, reconnectPeriod: 0 });
    watchers.push(other);
    expect(await program.ended()).toBe(1);
    expect(program.output).toMatch(new RegExp(`127\\.0\\.0\\.1:${port}: .*(taken over|0x8e)`, 'i'));
  });

  test.each([
    [['--port', '70000'], '--port:? must be a whole number from 1 to 65535, not "70000"'],
    [['--port', ''], '--port:? must be a whole number'],
    [['--interval', '0'], '--interval:? must be a number from 0.01 to 86400, not "0"'],
    [['--interval', '1e3'], '--interval:? must be a number'],
    [['--count', '-1'], '--count'],
    [['--id', 'a/b'], '--id:? must be 1 to 64 letters, digits, dashes and underscores, not "a/b"'],
    [['--prot', '1883'], '--prot'],
    [['--host'], '--host'],
    [['kitchen'], 'kitchen'],
  ])(
    'refuses %j',
    async (words, message) => {
      const program = run([...commands[name], ...words]);
      expect(await program.ended()).toBe(2);
      expect(program.output).toMatch(new RegExp(message));
    },
    refusalMilliseconds,
  );
});

/** Line that a reader prints for one reading. */
const readingLine = /^(\w+) (\d+): -?\d+\.\d\d °C at \S+Z, good for (\d+) s( \(again\))?$/;

/** Reads lines of a reader until each sensor's readings from 1 to its number have come. Returns those that came more than once. */
async function untilComplete(program: ExampleProcess, counts: Readonly<Record<string, number>>): Promise<string[]> {
  const missing = new Set(
    Object.entries(counts).flatMap(([name, count]) => Array.from({ length: count }, (_, i) => `${name} ${i + 1}`)),
  );
  const again: string[] = [];
  while (missing.size > 0) {
    const line = await program.line().catch((cause) => {
      throw new DeadlineError(`missing: ${[...missing].join(', ')}. ${(cause as Error).message}`, { cause });
    });
    const found = readingLine.exec(line);
    if (found === null) continue;
    const reading = `${found[1]} ${found[2]}`;
    // What the reader calls a repetition, and only that, came before.
    const isNew = missing.delete(reading);
    if (isNew !== (found[4] === undefined)) throw new DeadlineError(`"${line}" is wrong about that`);
    if (!isNew) again.push(reading);
  }
  return again;
}

/** The number of a sensor's last reading, from its output. */
function lastReading({ output }: ExampleProcess): number {
  return Math.max(...[...output.matchAll(/^reading (\d+):/gm)].map(([, number]) => Number(number)));
}

test(
  'no reading is lost when the broker is killed and started again, or ends and is started again',
  async () => {
    const dataDirectory = await mkdtemp(join(directory, 'data-'));
    broker = await startDunlin({ store: 'lmdb', dataDirectory });
    const { port } = broker;
    const reading = reader(port);
    await reading.until(/^reading sensors/);
    // Not faster than MQTT.js sends again what it has kept: one by one, each when the one before is acknowledged.
    const sensors = names.map((name) => sensor(name, port, '--interval', '0.1'));
    for (const program of sensors) await program.until(/^reading 10:/);
    for (const end of ['kill', 'stop'] as const) {
      await broker[end]();
      // Some readings are made while there is no broker.
      for (const program of sensors) {
        await program.until(/^no connection/);
        await program.until(/^reading \d+: .* \d{2,} waiting$/);
      }
      broker = await startDunlin({ store: 'lmdb', dataDirectory, port });
      for (const program of sensors) {
        await program.until(/^connected/);
        await program.until(/^reading \d+: .* [1-5] waiting$/);
      }
    }
    for (const program of sensors) expect(await program.end(), program.output).toBe(0);
    const counts = Object.fromEntries(names.map((name, index) => [name, lastReading(sensors[index])]));
    const again = await untilComplete(reading, counts);
    // A repetition is what QoS 1 allows: what was on its way when a connection broke, so few of all.
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    expect(again.length).toBeLessThan(total / 2);
    expect(await reading.end()).toBe(0);
  },
  outageMilliseconds,
);

describe('the reader', () => {
  test('gets what was published while it was away, also over a crash of the broker', async () => {
    const dataDirectory = await mkdtemp(join(directory, 'data-'));
    broker = await startDunlin({ store: 'lmdb', dataDirectory, workers: 1 });
    const { port } = broker;
    const first = reader(port);
    await first.until(/; a new session$/);
    await first.until(/^reading sensors\/\+\/temperature and sensors\/\+\/status$/);
    expect(await first.end()).toBe(0);
    const programs = names.map((name) => sensor(name, port, '--count', '10'));
    for (const program of programs) expect(await program.ended(), program.output).toBe(0);
    await broker.kill();
    broker = await startDunlin({ store: 'lmdb', dataDirectory, workers: 1, port });
    const second = reader(port);
    await untilComplete(second, Object.fromEntries(names.map((name) => [name, 10])));
    expect(second.output).toMatch(/; the session was kept$/m);
    expect(await second.end('SIGINT')).toBe(0);
  });

  test('says who is there when it comes, and that something is no reading', async () => {
    const { url, port } = await start();
    const publisher = connect(url, { protocolVersion: 5, reconnectPeriod: 0 });
    watchers.push(publisher);
    await publisher.publishAsync('sensors/hall/status', 'online', { qos: 1, retain: true });
    const program = reader(port);
    await program.until(/^hall is online$/);
    await publisher.publishAsync('sensors/hall/temperature', 'warm', { qos: 1 });
    await program.until(/^sensors\/hall\/temperature is no reading: "warm"$/);
    await publisher.publishAsync('sensors/hall/temperature', '{"celsius": null}', { qos: 1 });
    await program.until(/is no reading/);
  });

  test('shares readings with others of its group', async () => {
    const { port } = await start();
    const pair = ['one', 'two'].map((id) => reader(port, '--id', id, '--group', 'store'));
    for (const member of pair) await member.until(/^reading \$share\/store\/sensors/);
    const program = sensor('typescript', port, '--count', '20');
    expect(await program.ended()).toBe(0);
    // Status goes to both, after the readings, and ends what is looked at.
    for (const member of pair) await member.until(/^typescript is offline$/);
    const numbers = pair.map(({ output }) =>
      [...output.matchAll(/^typescript (\d+):/gm)].map(([, number]) => Number(number)),
    );
    expect(numbers[0].length).toBeGreaterThan(0);
    expect(numbers[1].length).toBeGreaterThan(0);
    expect([...numbers[0], ...numbers[1]].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  test.each([
    [['--port', 'x'], '--port must be a whole number from 1 to 65535, not "x"'],
    [['--group', 'a/b'], '--group must be 1 to 64 letters'],
    [['--id', ''], '--id must be'],
    [['--what'], '--what'],
  ])(
    'refuses %j',
    async (words, message) => {
      const program = run([process.execPath, here('reader.ts'), ...words]);
      expect(await program.ended()).toBe(2);
      expect(program.output).toContain(message);
    },
    refusalMilliseconds,
  );
});
