/**
 * Every block of commands in README.md is pasted into a shell as it stands, in a network of its own, where each port is free, and in a folder that has what a
 * checkout has. What the comments behind the commands say is what they print. So are those of docs/features, where the text behind a block is what it prints.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

const root = import.meta.dirname;
const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)].map(
  ([, text]) => text,
);

/** Blocks that other checks run: of each, what it begins with and where. */
const elsewhere: Readonly<Record<string, string>> = {
  'npm install ./dunlin-': 'packages/deployment/test/package.test.ts',
  'npm ci && npm start': '.ci/run in a fresh clone, and packages/cli/test/starters.test.ts',
  'npm run cluster': 'loadtest/cluster/test/command.test.ts',
};

function blockWith(text: string): string {
  const found = blocks.filter((block) => block.includes(text));
  if (found.length !== 1) throw new TypeError(`${found.length} blocks of README.md hold "${text}"`);
  return found[0];
}

/** True when a network of its own may be made, with its loopback up. */
const isRoot = process.getuid?.() === 0;
const enclosed = ['unshare', ...(isRoot ? [] : ['--map-root-user']), '--net', '--kill-child'];
const mayEnclose =
  spawnSync(enclosed[0], [...enclosed.slice(1), 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' }).status === 0;

let directory: string;
let network: ChildProcess;
const running = new Set<ChildProcess>();
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-readme-'));
  for (const name of readdirSync(root)) if (name !== 'data') symlinkSync(join(root, name), join(directory, name));
  if (!mayEnclose) return;
  // It lasts as long as this shell.
  network = spawn(enclosed[0], [...enclosed.slice(1), 'sh', '-c', 'ip link set lo up && echo up && exec cat']);
  await once(network.stdout as NodeJS.ReadableStream, 'data');
});
afterEach(async () => {
  for (const child of running) process.kill(-(child.pid as number), 'SIGTERM');
  await Promise.all([...running].map((child) => once(child, 'close')));
});
afterAll(() => {
  network?.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

interface Shell {
  child: ChildProcess;
  output: () => string;
  closed: Promise<number>;
  until: (text: string) => Promise<void>;
}

/** A shell that reads what is pasted, in a group of processes of its own. */
function paste(text: string): Shell {
  const environment = { ...process.env };
  for (const name of Object.keys(environment)) if (name.startsWith('npm_')) delete environment[name];
  const child = spawn(
    'nsenter',
    ['--target', String(network.pid), '--net', ...(isRoot ? [] : ['--user', '--preserve-credentials']), 'bash', '-s'],
    {
      ...{ cwd: directory, env: environment, detached: true },
    },
  );
  running.add(child);
  let output = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => {
      output += data;
      for (const look of waiting) look();
    });
  }
  const closed = once(child, 'close').then(([code]) => {
    running.delete(child);
    for (const look of waiting) look();
    return code as number;
  });
  const until = (wanted: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (output.includes(wanted)) resolve();
        else if (!running.has(child)) reject(new TypeError(`ended without "${wanted}":\n${output}`));
        else return;
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  child.stdin?.end(text);
  return { child, output: () => output, closed, until };
}

async function end({ child, closed }: Shell): Promise<void> {
  process.kill(-(child.pid as number), 'SIGTERM');
  await closed;
}

/** Seen to fail without the `loglevel` of .npmrc, where an older Node runs npm. */
test('the first command of a checkout warns of nothing', () => {
  const environment = { ...process.env };
  for (const name of Object.keys(environment)) if (name.startsWith('npm_')) delete environment[name];
  const words = ['ci', '--dry-run', '--ignore-scripts'];
  const { status, stdout, stderr } = spawnSync('npm', words, { cwd: directory, env: environment, encoding: 'utf8' });
  expect([status, `${stdout}${stderr}`]).toEqual([0, expect.not.stringMatching(/warn/i)]);
});

test('every block is pasted here, or run elsewhere', () => {
  const own = readFileSync(import.meta.filename, 'utf8');
  for (const block of blocks) {
    const [first] = block.split('\n');
    const isPasted = [...own.matchAll(/blockWith\('([^']+)'\)/g)].some(([, text]) => block.includes(text));
    expect([first, isPasted || Object.keys(elsewhere).some((text) => block.startsWith(text))]).toEqual([first, true]);
  }
});

describe.skipIf(!mayEnclose)('pasted as it stands', { timeout: 90_000 }, () => {
  test('trying it', async () => {
    const broker = paste('npx dunlin start');
    await broker.until('"event":"node.started"');
    const mosquitto = paste(blockWith('mosquitto_pub -t'));
    expect(await mosquitto.closed).toBe(0);
    expect(mosquitto.output()).toBe('sensors/kitchen/temperature 21.5\n');
    const own = paste(blockWith('sensors/cellar/temperature'));
    expect(await own.closed).toBe(0);
    expect(own.output()).toBe('sensors/cellar/temperature 12 (QoS 0)\n');
    const session = paste(blockWith('alarms/water'));
    expect(await session.closed).toBe(0);
    expect(session.output()).toBe('1000\n');
    await end(broker);
  });

  test('a cluster by hand', async () => {
    const cluster = paste(blockWith('--node-id edge-$n'));
    await cluster.closed;
    // Nodes that are ready before the last one are asked once more.
    expect(cluster.output()).toMatch(/^(\{"ready":true,"reasons":\[\]\}\n){3,}21\.5\n$/);
  });

  test('passwords and rules', async () => {
    const broker = paste(blockWith('dunlin passwd -c'));
    await broker.until('"event":"node.started"');
    const right = paste("npx dunlin pub -u ann -P 'a long password' -t a -m x -q 1");
    expect(await right.closed).toBe(0);
    const wrong = paste('npx dunlin pub -u ann -P wrong -t a -m x -q 1');
    expect(await wrong.closed).toBe(3);
    await end(broker);
  });

  test('TLS and WebSocket', async () => {
    const broker = paste(blockWith('openssl req'));
    await broker.until('"event":"node.started"');
    const clients = paste(blockWith('-L mqtts://localhost'));
    expect(await clients.closed).toBe(0);
    expect(clients.output()).toBe('30\n');
    await end(broker);
  });

  test('a configuration file', async () => {
    const broker = paste(blockWith('config init'));
    await broker.until('"event":"node.started"');
    await end(broker);
  });
});

/** The first block of a page starts the broker for the others. */
describe.skipIf(!mayEnclose)('pages of docs/features', { timeout: 90_000 }, () => {
  const pages = readdirSync(join(root, 'docs/features')).filter((name) => name.endsWith('.md'));

  test.each(pages)('%s', async (name) => {
    const text = readFileSync(join(root, 'docs/features', name), 'utf8');
    const [[, , start], ...others] = [...text.matchAll(/```(sh|text)\n([\s\S]*?)```/g)];
    const broker = paste(start);
    await broker.until('"event":"node.started"');
    let printed = '';
    let texts = 0;
    for (const [, language, content] of others) {
      if (language === 'text') {
        expect(printed).toBe(content);
        printed = '';
        texts++;
        continue;
      }
      const shell = paste(content);
      expect([content, await shell.closed, shell.output()]).toEqual([content, 0, expect.anything()]);
      printed += shell.output();
    }
    expect([texts > 0, printed]).toEqual([true, '']);
    await end(broker);
  });
});
