/**
 * `bench sign-in`: what signing in costs, on one worker and one core: passwords of two hashes and remembered ones, an HTTP service, and 100,000 rules at sign-in,
 * at the first publish, for publishes whose answers are known, and when the rules are read again.
 */
import { scryptSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, HttpQuestionServer } from '@dunlin/testkit';
import { BrokerProcess } from './broker-process.ts';
import { DUNLIN } from './checkout.ts';
import { runGenerator } from './generator.ts';
import { median } from './results.ts';
import { selectRows } from './rows.ts';
import {
  type Account,
  LoadClient,
  ownWorkMilliseconds,
  type SignedIn,
  signInAtRate,
  signInOnce,
} from './sign-in-load.ts';

export interface SignInOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly onProgress: (line: string) => void;
}

export interface SignInFigure {
  readonly name: string;
  readonly measured: string;
  readonly bound: string;
  /** Shown: there is no bound. */
  readonly outcome: 'met' | 'missed' | 'shown';
}

const PER_MINUTE = 10_000;
const WAIT_MS_MAX = 2000;
const SERVICE_MS = 50;
/** Beside the answer of the service: the request itself, on a machine that does other things. */
const SERVICE_MORE_MS = 10;
const RULES = 100_000;
const RULES_RATIO_MAX = 1.05;
const TURN_MS_MAX = 10;
const CLIENTS = 500;
const PASSWORD = 'correct horse battery staple';
const MESSAGE_ROW = '20pairs-w100';
const RELOADED = '"event":"access.reloaded"';

interface Started {
  readonly broker: BrokerProcess;
  readonly port: number;
}

/** A node of one worker; `files` are written into its folder, `{dir}` in its options is that folder. */
async function start(files: Readonly<Record<string, string>>, options: readonly string[]): Promise<Started> {
  const directory = BrokerProcess.makeDirectory();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text, { mode: 0o600 });
  const port = await freePort();
  const words = ['start', '--workers', '1', '--store', 'memory', '--listener', `tcp://127.0.0.1:${port}`];
  words.push('--set', 'log.format=json', ...options.map((word) => word.replace('{dir}', directory)));
  return { broker: await BrokerProcess.start([process.execPath, DUNLIN, ...words], [port], directory), port };
}

function accountsOf(count: number): Account[] {
  return Array.from({ length: count }, (_, i) => ({
    clientId: `gauge-${i}`,
    userName: `user-${i}`,
    password: PASSWORD,
  }));
}

/** Users who all have the same password and salt: what is remembered is remembered for each of them. */
function passwordFile(count: number, log2: number): string {
  const salt = Buffer.from('0123456789abcdef');
  const N = 2 ** log2;
  const hash = scryptSync(PASSWORD, salt, 32, { N, r: 8, p: 1, maxmem: 512 * N * 8 });
  const text = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
  const line = `$scrypt$ln=${log2},r=8,p=1$${text(salt)}$${text(hash)}`;
  return accountsOf(count)
    .map(({ userName }) => `${userName}:${line}\n`)
    .join('');
}

function waits(results: readonly SignedIn[]): { longest: number; median: number; refused: number } {
  const times = results.filter(({ code }) => code === 0).map(({ milliseconds }) => milliseconds);
  return { longest: Math.max(0, ...times), median: median(times), refused: results.length - times.length };
}

/** Sign-ins at 10,000 a minute, first with passwords that are to be hashed, then with the same ones, which are remembered. */
async function measurePasswords(log2: number, isBound: boolean, seconds: number): Promise<SignInFigure[]> {
  const probes = 20;
  const count = Math.round((PER_MINUTE / 60) * seconds);
  const accounts = accountsOf(probes + count);
  const { broker, port } = await start({ users: passwordFile(accounts.length, log2) }, [
    '--password-file',
    '{dir}/users',
  ]);
  try {
    const alone: number[] = [];
    for (const account of accounts.slice(0, probes)) alone.push((await signInOnce(port, account)).milliseconds);
    const each = median(alone);
    const rest = accounts.slice(probes);
    const own = ownWorkMilliseconds(rest.length, PER_MINUTE / 60, each);
    const first = waits(await signInAtRate(port, rest, PER_MINUTE / 60));
    const again = waits(await signInAtRate(port, rest, PER_MINUTE / 60));
    const told = ({ longest, median: middle, refused }: typeof first): string =>
      `longest ${longest.toFixed(0)} ms, median ${middle.toFixed(1)} ms, ${refused} of ${rest.length} refused`;
    const isMet = first.refused === 0 && first.longest <= own + WAIT_MS_MAX;
    return [
      {
        name: `${PER_MINUTE} sign-ins a minute by password, scrypt ln=${log2} (${each.toFixed(1)} ms each)`,
        measured: told(first),
        bound: `nobody refused, longest at most ${(own + WAIT_MS_MAX).toFixed(0)} ms: the queue's own work and ${WAIT_MS_MAX} ms`,
        outcome: isBound ? (isMet ? 'met' : 'missed') : 'shown',
      },
      {
        name: `the same clients again, scrypt ln=${log2}`,
        measured: told(again),
        bound: isBound ? `nobody refused, longest at most ${WAIT_MS_MAX} ms` : 'those who were let in are remembered',
        outcome: isBound ? (again.refused === 0 && again.longest <= WAIT_MS_MAX ? 'met' : 'missed') : 'shown',
      },
    ];
  } finally {
    await broker.stop();
  }
}

async function sequential(port: number, accounts: readonly Account[]): Promise<number> {
  const times: number[] = [];
  for (const account of accounts) {
    const { code, milliseconds } = await signInOnce(port, account);
    if (code !== 0) throw new Error(`refused with ${code}`);
    times.push(milliseconds);
  }
  return median(times);
}

/** Sign-ins that a service decides on, beside those of anonymous clients. */
async function measureHttp(): Promise<SignInFigure> {
  const service = await HttpQuestionServer.start();
  service.reply = async () => {
    await delay(SERVICE_MS);
    return { status: 200, body: { result: 'allow' } };
  };
  const accounts = accountsOf(50);
  const asking = await start({}, ['--set', `httpAuth.signInUrl=${service.url}/sign-in`]);
  const free = await start({}, []);
  try {
    // The first question opens the connection that the others go over.
    await signInOnce(asking.port, { ...accounts[0], clientId: 'first', userName: 'first' });
    const before = service.questions.length;
    const more = (await sequential(asking.port, accounts)) - (await sequential(free.port, accounts));
    const questions = service.questions.length - before;
    return {
      name: `a sign-in over HTTP, the service answering after ${SERVICE_MS} ms`,
      measured: `${more.toFixed(1)} ms more than without, ${questions} questions for ${accounts.length} sign-ins`,
      bound: `one question each, at most ${SERVICE_MS + SERVICE_MORE_MS} ms more`,
      outcome: questions === accounts.length && more <= SERVICE_MS + SERVICE_MORE_MS ? 'met' : 'missed',
    };
  } finally {
    await Promise.all([asking.broker.stop(), free.broker.stop()]);
    await service.stop();
  }
}

/** Rules of every kind: of users, of clients, of topics for everybody; in the end what the load needs. */
export function manyRules(count: number): string {
  const lines = Array.from({ length: count - 2 }, (_, i) =>
    [
      `- {allow: all, user: user-${i}, topics: [devices/${i}/#, rooms/+/${i}]}`,
      `- {deny: all, topics: secret/${i}/#}`,
      `- {allow: publish, client: gauge-${i}, topics: fleet/%c/${i}}`,
      `- {allow: subscribe, topics: ['+/status/${i}', halls/${i}/#], anonymous: true, qos: [0, 1]}`,
    ].at(i % 4),
  );
  return [...lines, '- {allow: all, topics: load/#, anonymous: true}', '- {allow: all, topics: own/%u/#}', ''].join(
    '\n',
  );
}

/** Memory of the processes that no other process uses as well, in bytes. */
function memoryOf(broker: BrokerProcess): number {
  const texts = broker.pids().map((pid) => readFileSync(`/proc/${pid}/status`, 'utf8'));
  return texts.reduce((sum, text) => sum + Number(/RssAnon:\s+(\d+)/.exec(text)?.[1] ?? 0) * 1024, 0);
}

async function untilReloaded(broker: BrokerProcess, before: number): Promise<void> {
  const count = (): number => readFileSync(join(broker.directory, 'log.txt'), 'utf8').split(RELOADED).length;
  while (count() <= before) await delay(50);
  // The line is the supervisor's; the worker takes the rules over after it.
  await delay(1500);
}

/** Many clients come, and each publishes to a topic and subscribes to a filter for the first time. */
async function comeAndAsk(port: number): Promise<void> {
  for (const account of accountsOf(CLIENTS)) {
    const client = await LoadClient.open(port);
    if ((await client.signIn(account)) !== 0) throw new Error('refused');
    await client.publish(`own/${account.userName}/state`);
    await client.subscribe(`own/${account.userName}/+`, '+/x');
    client.close();
  }
}

async function measureRules(): Promise<SignInFigure[]> {
  const users = passwordFile(CLIENTS, 10);
  const words = ['--password-file', '{dir}/users'];
  const figures: SignInFigure[] = [];
  // With two rules it is what this machine makes of it: the supervisor and the system need the core as well.
  const few = new Map<string, number>();
  const turn = (what: string, count: number, longest: number): SignInFigure => {
    const name = `${what}, ${count} rules`;
    const measured = `longest answer to a PINGREQ meanwhile ${longest.toFixed(1)} ms`;
    const most = (few.get(what) ?? Number.POSITIVE_INFINITY) + TURN_MS_MAX;
    if (count === RULES)
      return {
        ...{ name, measured, outcome: longest <= most ? 'met' : 'missed' },
        bound: `at most ${TURN_MS_MAX} ms more than with two rules`,
      };
    few.set(what, longest);
    return { name, measured, bound: 'for comparison', outcome: 'shown' };
  };
  let memoryWithout = 0;
  for (const count of [2, RULES]) {
    const { broker, port } = await start({ users, rules: manyRules(count) }, [...words, '--rules-file', '{dir}/rules']);
    try {
      const memory = memoryOf(broker);
      if (count === 2) memoryWithout = memory;
      const probe = await LoadClient.open(port);
      await probe.signIn({ clientId: 'probe', userName: 'user-0', password: PASSWORD });
      await comeAndAsk(port); // code that runs for the first time is compiled
      const coming = await probe.longestPingMilliseconds(() => comeAndAsk(port));
      figures.push(turn(`${CLIENTS} clients sign in, publish and subscribe`, count, coming));
      const reload = async (): Promise<void> => {
        writeFileSync(join(broker.directory, 'rules'), `${manyRules(count)}# again\n`);
        await untilReloaded(broker, 1);
      };
      figures.push(turn('the rules are read again', count, await probe.longestPingMilliseconds(reload)));
      probe.close();
      if (count === RULES)
        figures.push({
          name: `memory of ${RULES} rules: the process of one worker, and what the supervisor used to read them`,
          measured: `${((memory - memoryWithout) / 2 ** 20).toFixed(0)} MiB more after the start`,
          bound: 'docs/security.md says how much',
          outcome: 'shown',
        });
    } finally {
      await broker.stop();
    }
  }
  return figures;
}

async function messageCost(rules: string | null, seconds: number): Promise<number> {
  const options = rules === null ? [] : ['--rules-file', '{dir}/rules'];
  const { broker, port } = await start(rules === null ? {} : { rules }, options);
  try {
    const [row] = selectRows(MESSAGE_ROW);
    const load = { row, publisherPort: port, subscriberPort: port, pids: broker.pids(), seconds };
    return Number((await runGenerator(load))[row.figure.field]);
  } finally {
    await broker.stop();
  }
}

async function measureMessages(rounds: number, seconds: number): Promise<SignInFigure> {
  const costs: [few: number[], many: number[]] = [[], []];
  const texts = [manyRules(2), manyRules(RULES)];
  for (let round = 0; round < rounds; round++)
    for (const side of round % 2 === 0 ? [0, 1] : [1, 0]) costs[side].push(await messageCost(texts[side], seconds));
  const [few, many] = costs.map(median);
  const ratio = many / few;
  return {
    name: `a message whose topic is known, ${RULES} rules`,
    measured: `${many.toFixed(3)} µs a delivery, with two rules ${few.toFixed(3)} µs; ratio ${ratio.toFixed(3)}`,
    bound: `at most ${RULES_RATIO_MAX} times`,
    outcome: ratio <= RULES_RATIO_MAX ? 'met' : 'missed',
  };
}

const PARTS: Readonly<Record<string, (options: SignInOptions) => Promise<SignInFigure[]>>> = {
  passwords: async ({ seconds }) => [
    ...(await measurePasswords(11, true, seconds)),
    ...(await measurePasswords(15, false, seconds)),
  ],
  http: async () => [await measureHttp()],
  rules: async () => measureRules(),
  messages: async ({ rounds }) => [await measureMessages(rounds, 3)],
};

export const SIGN_IN_PARTS = Object.keys(PARTS).join(',');

/** @throws RangeError for a part that there is not */
export async function measureSignIn(parts: string, options: SignInOptions): Promise<SignInFigure[]> {
  const figures: SignInFigure[] = [];
  for (const name of parts.split(',').map((part) => part.trim())) {
    const measure = PARTS[name];
    if (measure === undefined) throw new RangeError(`no part '${name}'; there are ${SIGN_IN_PARTS}`);
    for (const figure of await measure(options)) {
      figures.push(figure);
      options.onProgress(`${figure.outcome}: ${figure.name}: ${figure.measured} (${figure.bound})`);
    }
  }
  return figures;
}
