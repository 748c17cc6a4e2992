import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MosquittoSub, mosquittoPub } from '@dunlin/testkit';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dunlin, run, startBroker } from '../command.ts';
import { answerTo, enter, leave } from './entering.ts';

let directory: string;
let users: string;
let broker: Dunlin;
let url: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-passwords-'));
  users = join(directory, 'users');
  expect(await run(['passwd', '-c', '-b', users, 'ann', 'secret'])).toMatchObject({ code: 0 });
  const started = await startBroker(['--workers', '2', '--password-file', users]);
  broker = started.broker;
  url = `mqtt://127.0.0.1:${started.port}`;
});
afterAll(async () => {
  await leave();
  broker.child.kill('SIGKILL');
  await broker.finished;
  rmSync(directory, { recursive: true });
});

describe('dunlin passwd', () => {
  test('reads the password from standard input, keeps others, removes', async () => {
    const file = join(directory, 'others');
    expect((await run(['passwd', '-c', file, 'ann'], 'one\n')).code).toBe(0);
    expect((await run(['passwd', file, 'bob'], 'two\n')).code).toBe(0);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toMatch(/^ann:\$scrypt\$.*\nbob:\$scrypt\$.*\n$/);
    expect((await run(['passwd', '-D', file, 'ann'])).code).toBe(0);
    expect(readFileSync(file, 'utf8')).toMatch(/^bob:/);
    expect(await run(['passwd', '-D', file, 'ann'])).toMatchObject({
      code: 1,
      errors: expect.stringContaining('has no user "ann"'),
    });
  });

  test.each([
    [['-b', 'FILE', 'ann'], '-b needs the password'],
    [['FILE', 'ann', 'pass'], 'a password on the command line needs -b'],
    [['FILE', 'a:b'], 'user: given "a:b", allowed: a name without colon'],
    [['-b', 'FILE', 'ann', ''], 'the password is empty'],
    [['-D', '-c', 'FILE', 'ann'], '-D needs a file and a user'],
  ])('passwd %j is refused', async (words, message) => {
    const { code, errors } = await run(['passwd', ...words.map((word) => word.replace('FILE', users))], '');
    expect(errors).toContain(message);
    expect(code).toBe(2);
  });

  test('without -c a file that is not there is not made', async () => {
    const { code, errors } = await run(['passwd', '-b', join(directory, 'none'), 'ann', 'x']);
    expect(errors).toContain('there is no such file; -c makes one');
    expect(code).toBe(1);
  });
});

describe('with a password file, over MQTT', () => {
  test.each([
    ['the right password', { userName: 'ann', password: 'secret' }, 0, 0],
    ['a wrong password', { userName: 'ann', password: 'Secret' }, 0x87, 5],
    ['an empty password', { userName: 'ann', password: '' }, 0x87, 5],
    ['a user name without a password', { userName: 'ann' }, 0x87, 5],
    ['an unknown user', { userName: 'bob', password: 'secret' }, 0x87, 5],
    ['an empty user name', { userName: '', password: 'secret' }, 0x87, 5],
    ['nothing', {}, 0x87, 5],
  ])('%s', async (_title, given, reasonCode, returnCode) => {
    expect(await answerTo(url, given)).toBe(reasonCode);
    expect(await answerTo(url, { ...given, version: 4 })).toBe(returnCode);
  });

  test("Mosquitto's clients", async () => {
    const subscriber = await MosquittoSub.start(url, ['-u', 'ann', '-P', 'secret', '-t', 'a', '-V', 'mqttv5']);
    const send = (password: string) =>
      mosquittoPub(url, ['-u', 'ann', '-P', password, '-t', 'a', '-m', 'hello', '-q', '1', '-V', 'mqttv311']);
    expect((await send('wrong')).exitCode).toBe(5);
    expect((await send('secret')).exitCode).toBe(0);
    expect(await subscriber.nextLine()).toBe('hello');
    await subscriber.stop();
    expect((await mosquittoPub(url, ['-t', 'a', '-m', 'x'])).exitCode).toBe(5);
  });

  test('MQTT.js', async () => {
    const options = { username: 'ann', reconnectPeriod: 0, protocolVersion: 5 as const };
    await expect(connectAsync(url, { ...options, password: 'wrong' })).rejects.toMatchObject({ code: 0x87 });
    const client = await connectAsync(url, { ...options, password: 'secret' });
    await client.endAsync();
  });

  test('what is wrong is in the log, not the password', async () => {
    // Ten refusals a second of an address are logged, and the tests before this one have had some of them.
    const logged = async () => {
      await answerTo(url, { clientId: 'logged', userName: 'ann', password: 'hunter2' });
      return broker.log().find((entry) => entry.client === 'logged');
    };
    await expect.poll(logged, { timeout: 10_000 }).toMatchObject({
      event: 'sign-in.refused',
      user: 'ann',
      method: 'password-file',
      reason: 'wrong password',
    });
    expect(broker.output).not.toContain('hunter2');
  });

  test('SIGHUP reads the file again; a broken one keeps the old, and says where', async () => {
    expect((await run(['passwd', '-b', users, 'carl', 'new'])).code).toBe(0);
    const carl = { clientId: 'carl', userName: 'carl', password: 'new' };
    expect(await answerTo(url, carl)).toBe(0x87);
    broker.child.kill('SIGHUP');
    await broker.until('access.reloaded');
    const connected = await enter(url, carl);
    const other = await enter(url, { clientId: 'other', userName: 'ann', password: 'secret' });
    expect((await run(['passwd', '-D', users, 'carl'])).code).toBe(0);
    broker.child.kill('SIGHUP');
    await connected.expectPacket({ type: 'disconnect', reasonCode: 0x87 }, 15_000);
    await other.expectNothing();
    writeFileSync(users, `${readFileSync(users, 'utf8')}dora\n`);
    broker.child.kill('SIGHUP');
    await broker.until('users:2:1: a line is USER:HASH');
    await enter(url, { userName: 'ann', password: 'secret' });
  });
});

describe('a start', () => {
  test('warns of secrets that every user can read, and of rules that every user can change; not of others', async () => {
    const rules = join(directory, 'open-rules.yaml');
    const open = join(directory, 'open-users');
    writeFileSync(rules, '- {allow: all, topics: "#"}\n');
    await run(['passwd', '-c', '-b', open, 'ann', 'secret']);
    chmodSync(open, 0o644);
    chmodSync(rules, 0o666);
    const warned = await startBroker(['--workers', '1', '--password-file', open, '--rules-file', rules]);
    const warnings = warned.broker.log().filter(({ level }) => level === 'warn');
    warned.broker.child.kill('SIGKILL');
    expect(warnings).toMatchObject([{ files: [`${open} (0644)`] }, { files: [`${rules} (0666)`] }]);
    chmodSync(open, 0o600);
    chmodSync(rules, 0o644);
    const quiet = await startBroker(['--workers', '1', '--password-file', open, '--rules-file', rules]);
    expect(quiet.broker.log().filter(({ level }) => level === 'warn')).toEqual([]);
    quiet.broker.child.kill('SIGKILL');
    await Promise.all([warned.broker.finished, quiet.broker.finished]);
  });

  test('with a file that is broken', async () => {
    const file = join(directory, 'broken');
    writeFileSync(file, '# users\nann:plain\n');
    const words = ['start', '--store', 'memory', '--listener', 'tcp://127.0.0.1:0', '--password-file', file];
    const { code, errors } = await run(words);
    expect(errors).toContain(`${file}:2:5: no hash of a known kind`);
    expect(code).toBe(2);
  });

  test('with a file that is not there', async () => {
    const { code, errors } = await run(['start', '--password-file', join(directory, 'nowhere')]);
    expect(errors).toContain('there is no such file');
    expect(code).toBe(2);
  });

  test('on all interfaces: refused with what to do, good with a password file', async () => {
    const everywhere = ['--listener', 'tcp://0.0.0.0:1883'];
    const refused = await run(['start', ...everywhere]);
    expect(refused.errors).toContain('give --password-file FILE (dunlin passwd -c FILE USER writes one)');
    expect(refused.code).toBe(2);
    const good = join(directory, 'good');
    await run(['passwd', '-c', '-b', good, 'ann', 'secret']);
    expect((await run(['config', 'check', ...everywhere, '--password-file', good])).code).toBe(0);
  });
});
