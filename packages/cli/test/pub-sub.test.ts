import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Dunlin, run, startBroker } from './command.ts';

let broker: Dunlin;
let port: string;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-pub-'));
  ({ broker, port } = await startBroker([
    '--workers',
    '2',
    '--listener',
    `unix:${join(directory, 'socket')}`,
    '--log-level',
    'info',
  ]));
});
afterAll(async () => {
  broker.child.kill('SIGTERM');
  expect((await broker.finished).code).toBe(0);
  rmSync(directory, { recursive: true });
});

/** A subscriber whose subscription is acknowledged. */
async function subscriber(...words: string[]): Promise<Dunlin> {
  const sub = new Dunlin(['sub', '-p', port, '-d', ...words]);
  await sub.until('"type":"suback"');
  return sub;
}

const pub = (...words: string[]) => run(['pub', '-p', port, ...words]);

describe('pub and sub', () => {
  test.each(['31', '311', '5'].flatMap((version) => ['0', '1', '2'].map((qos) => [version, qos])))(
    'MQTT %s, QoS %s: every line, once, in order',
    async (version, qos) => {
      const topic = `lines/${version}/${qos}`;
      const sub = await subscriber('-V', version, '-q', qos, '-t', `${topic}/#`, '-C', '300', '-F', '%t %q %p');
      const lines = Array.from({ length: 300 }, (_, number) => `${topic}/x ${qos} ${number}`);
      const input = Array.from({ length: 300 }, (_, number) => `${number}\n`).join('');
      expect((await run(['pub', '-p', port, '-V', version, '-q', qos, '-t', `${topic}/x`, '-l'], input)).code).toBe(0);
      expect(await sub.finished).toMatchObject({ code: 0, output: `${lines.join('\n')}\n` });
    },
  );

  test('a message from an argument, a file, standard input, and an empty one', async () => {
    const sub = await subscriber('-t', 'ways', '-C', '4', '-q', '1', '-F', '[%p]');
    writeFileSync(join(directory, 'message'), 'from a file');
    await pub('-t', 'ways', '-q', '1', '-m', 'argument');
    await pub('-t', 'ways', '-q', '1', '-f', join(directory, 'message'));
    await run(['pub', '-p', port, '-t', 'ways', '-q', '1', '-s'], 'two\nlines');
    await pub('-t', 'ways', '-q', '1', '-n');
    expect((await sub.finished).output).toBe('[argument]\n[from a file]\n[two\nlines]\n[]\n');
  });

  test('repeated, through a Unix socket', async () => {
    const sub = await subscriber('-t', 'again', '-C', '3', '-v');
    expect(
      (await run(['pub', '--unix', join(directory, 'socket'), '-t', 'again', '-m', 'x', '--repeat', '3'])).code,
    ).toBe(0);
    expect((await sub.finished).output).toBe('again x\nagain x\nagain x\n');
  });

  test('properties of MQTT 5 arrive', async () => {
    const sub = await subscriber(
      '-V',
      '5',
      '-t',
      'props',
      '-C',
      '1',
      '-F',
      '%C|%R|%P|%F|%S|%p',
      '-D',
      'subscribe',
      'subscription-identifier',
      '7',
    );
    const words = ['-D', 'publish', 'content-type', 'text/plain', '-D', 'publish', 'response-topic', 'answer'];
    words.push(
      '-D',
      'publish',
      'user-property',
      'a',
      'b',
      '-D',
      'publish',
      'user-property',
      'c',
      'd',
      '-D',
      'publish',
      'payload-format-indicator',
      '1',
    );
    await pub('-V', '5', '-t', 'props', '-m', 'x', ...words);
    expect((await sub.finished).output).toBe('text/plain|answer|a:b c:d|1|7|x\n');
  });

  test('retained messages: shown, left out, shown alone', async () => {
    await pub('-t', 'kept/1', '-m', 'old', '-r', '-q', '1');
    expect((await run(['sub', '-p', port, '-t', 'kept/#', '-C', '1', '-F', '%r %p'])).output).toBe('1 old\n');
    const fresh = await subscriber('-t', 'kept/#', '-R', '-C', '1');
    const retained = await subscriber('-t', 'kept/#', '--retained-only', '-C', '1');
    await pub('-t', 'kept/1', '-m', 'new', '-q', '1');
    expect((await fresh.finished).output).toBe('new\n');
    expect((await retained.finished).output).toBe('old\n');
  });

  test('a kept session gets what it missed', async () => {
    const session = ['-V', '311', '-c', '-i', 'cellar', '-t', 'alarms', '-q', '1'];
    expect((await run(['sub', '-p', port, ...session, '-E'])).code).toBe(0);
    await pub('-t', 'alarms', '-m', 'rising', '-q', '1');
    expect((await run(['sub', '-p', port, ...session, '-C', '1'])).output).toBe('rising\n');
  });

  test('topics left out', async () => {
    const sub = await subscriber('-t', 'mix/#', '-T', 'mix/noise', '-C', '1', '-q', '1');
    await pub('-t', 'mix/noise', '-m', 'hiss', '-q', '1');
    await pub('-t', 'mix/signal', '-m', 'tone', '-q', '1');
    expect((await sub.finished).output).toBe('tone\n');
  });

  test('a will', async () => {
    const watch = await subscriber('-t', 'wills', '-C', '1', '-v');
    const doomed = await subscriber(
      '-t',
      'other',
      '--will-topic',
      'wills',
      '--will-payload',
      'gone',
      '--will-qos',
      '1',
    );
    doomed.child.kill('SIGKILL');
    expect((await watch.finished).output).toBe('wills gone\n');
  });

  test('time over: exit code 4', async () => {
    expect(await run(['sub', '-p', port, '-t', 'silence', '-W', '1'])).toMatchObject({
      code: 4,
      errors: expect.stringContaining('timed out after 1 s'),
    });
  });

  test('interrupted: exit code 0', async () => {
    const sub = await subscriber('-t', 'silence');
    sub.child.kill('SIGINT');
    expect((await sub.finished).code).toBe(0);
  });

  test('nobody there: exit code 3', async () => {
    expect(await run(['pub', '-p', '1', '-t', 'a', '-m', 'x'])).toMatchObject({
      code: 3,
      errors: expect.stringContaining('cannot connect to 127.0.0.1:1'),
    });
  });

  test('refused by the broker: exit code 3', async () => {
    expect(await pub('-V', '5', '-t', '$SYS/x', '-m', 'x', '-q', '1')).toMatchObject({
      code: 3,
      errors: expect.stringMatching(/refused|ended/),
    });
  });
});
