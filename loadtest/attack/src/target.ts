import { createHash, createHmac, pbkdf2Sync, randomBytes, scryptSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type BrokerProcess,
  freePort,
  HttpQuestionServer,
  startDunlin,
  startMosquitto,
  TestAuthority,
} from '@dunlin/testkit';
import type { Attack } from './attack.ts';
import type { BrokerName } from './broker-name.ts';
import { peakMebibytesMax } from './ceilings.ts';

/** Address at which a broker listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly tlsPort: number;
  readonly webSocketPort: number;
  /** Port of `/healthz`; null: the broker has none. */
  readonly adminPort: number | null;
}

/** The attacker may do everything below `mallory/`, and below `devices/mallory/`. */
export const attacker = { userName: 'mallory', password: 'mallory' } as const;
/** A user who may sign in with SCRAM-SHA-256. */
const scramUser = 'scarlett';
/** A user who may do nothing at all. */
export const powerless = { userName: 'eve', password: 'eve' } as const;
/** Healthy clients have users of their own, each with a password of its own. */
export const healthyUsers = Array.from({ length: 60 }, (_, index) => `healthy-${index}`);
/** Topics of healthy clients; they may subscribe to `devices/+/status` as well. */
export const healthyTopics = 'healthy';

/** The ones who sign in: a name is its password. */
const users = [attacker.userName, powerless.userName, ...healthyUsers];

const rules = `
- { allow: all, user: mallory, topics: ['mallory/#', 'devices/mallory/#'] }
- { allow: all, user: 'healthy-*', topics: ['${healthyTopics}/#', 'devices/#'] }
`;
const accessList = [
  `user ${attacker.userName}`,
  'topic readwrite mallory/#',
  'topic readwrite devices/mallory/#',
  ...healthyUsers.flatMap((user) => [
    `user ${user}`,
    `topic readwrite ${healthyTopics}/#`,
    'topic readwrite devices/#',
  ]),
].join('\n');

/** A password as `dunlin passwd` writes it. */
function scryptLine(user: string): string {
  const salt = randomBytes(16);
  const hash = scryptSync(user, salt, 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 2 ** 20 });
  const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  return `${user}:$scrypt$ln=15,r=8,p=1$${text(salt)}$${text(hash)}`;
}

/** A password as `mosquitto_passwd` of Mosquitto 2 writes it: cheap to check, so that an attacker's own sign-ins are not what is measured. */
function mosquittoLine(user: string): string {
  const salt = randomBytes(12);
  const hash = pbkdf2Sync(user, salt, 101, 64, 'sha512');
  return `${user}:$7$101$${salt.toString('base64')}$${hash.toString('base64')}`;
}

/** A verifier for SCRAM-SHA-256 as `dunlin passwd --scram` writes it (RFC 5802, section 3). */
function scramLine(user: string): string {
  const [salt, iterations] = [randomBytes(16), 15_000];
  const salted = pbkdf2Sync(user, salt, iterations, 32, 'sha256');
  const keyOf = (name: string) => createHmac('sha256', salted).update(name).digest();
  const stored = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  return `${user}:SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${keyOf('Server Key').toString('base64')}`;
}

/** Memory that a node may use, as a container of this size has it. */
const memoryBytesMax = peakMebibytesMax * 1024 * 1024;
/** Time that the slow service for sign-ins takes for each. */
const signInMilliseconds = 300;

/** An HTTP service that knows the same users, and takes its time. */
async function slowSignInService(): Promise<HttpQuestionServer> {
  const service = await HttpQuestionServer.start();
  service.reply = async ({ fields: { username, password } }) => {
    await pause(signInMilliseconds);
    const result = users.includes(username) && username === password ? 'allow' : 'deny';
    return { status: 200, body: { result } };
  };
  return service;
}

/** Lines that give Mosquitto back the defaults which the test kit's configuration changes. */
const mosquittoDefaults = [
  'max_queued_messages 1000',
  'max_inflight_messages 20',
  'autosave_on_changes false',
  'autosave_interval 1800',
];

/** Starts brokers with the same users and rights, each time anew, and removes what they have written. */
export class Targets {
  readonly #directory: string;
  readonly #authority: TestAuthority;
  readonly #certificate: { readonly cert: string; readonly key: string };

  private constructor(
    directory: string,
    authority: TestAuthority,
    certificate: { readonly cert: string; readonly key: string },
  ) {
    this.#directory = directory;
    this.#authority = authority;
    this.#certificate = certificate;
  }

  static async make(): Promise<Targets> {
    const directory = await mkdtemp(join(tmpdir(), 'dunlin-attack-'));
    const authority = await TestAuthority.make('attack');
    const certificate = await authority.issue('127.0.0.1');
    const write = (name: string, text: string) => writeFile(join(directory, name), text, { mode: 0o600 });
    const hashed = users.map((user) => (healthyUsers.includes(user) ? scryptLine(user) : mosquittoLine(user)));
    await write('users', `${[...hashed, scramLine(scramUser)].join('\n')}\n`);
    await write('rules.yaml', rules);
    await write('mosquitto-users', `${users.map(mosquittoLine).join('\n')}\n`);
    await write('mosquitto-rules', `${accessList}\n`);
    return new Targets(directory, authority, certificate);
  }

  /** Starts a broker with its own defaults but for what is asked: users, rights, three listeners, a store on disk, and what the attack needs. */
  start(name: BrokerName, attack: Attack): Promise<Target> {
    return name === 'dunlin' ? this.#startDunlin(attack) : this.#startMosquitto();
  }

  async remove(): Promise<void> {
    await this.#authority.remove();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #startDunlin({ settings, hasSlowSignInService }: Attack): Promise<Target> {
    const service = hasSlowSignInService ? await slowSignInService() : null;
    const data = await mkdtemp(join(this.#directory, 'data-'));
    const [tlsPort, webSocketPort, adminPort] = [await freePort(), await freePort(), await freePort()];
    const { cert, key } = this.#certificate;
    const broker = await startDunlin({
      isBuilt: true,
      store: 'lmdb',
      dataDirectory: data,
      workers: 2,
      listeners: [`tls://127.0.0.1:${tlsPort}?cert=${cert}&key=${key}`, `ws://127.0.0.1:${webSocketPort}`],
      set: {
        'admin.address': `127.0.0.1:${adminPort}`,
        ...(service === null
          ? { 'authentication.passwordFile': join(this.#directory, 'users') }
          : { 'httpAuth.signInUrl': service.url }),
        'authorization.rulesFile': join(this.#directory, 'rules.yaml'),
        'limits.memoryBytesMax': memoryBytesMax,
        ...settings,
      },
    });
    const address = { host: '127.0.0.1', port: broker.port, tlsPort, webSocketPort, adminPort };
    void broker.exited.then(() => service?.stop());
    return new Target('dunlin', broker, address, data, `http://127.0.0.1:${adminPort}`);
  }

  async #startMosquitto(): Promise<Target> {
    const data = await mkdtemp(join(this.#directory, 'data-'));
    const tlsPort = await freePort();
    const { cert, key } = this.#certificate;
    const broker = await startMosquitto({
      dataDirectory: data,
      configuration: [
        ...mosquittoDefaults,
        'allow_anonymous false',
        `password_file ${join(this.#directory, 'mosquitto-users')}`,
        `acl_file ${join(this.#directory, 'mosquitto-rules')}`,
        `listener ${tlsPort} 127.0.0.1`,
        `certfile ${cert}`,
        `keyfile ${key}`,
      ],
    });
    const webSocketPort = Number(new URL(broker.webSocketUrl ?? '').port);
    return new Target(
      'mosquitto',
      broker,
      { host: '127.0.0.1', port: broker.port, tlsPort, webSocketPort, adminPort: null },
      data,
      null,
    );
  }
}

/** A broker that runs, to be attacked. */
export class Target {
  readonly name: BrokerName;
  readonly address: Address;
  readonly #broker: BrokerProcess;
  readonly #data: string;
  readonly #admin: string | null;

  constructor(name: BrokerName, broker: BrokerProcess, address: Address, data: string, admin: string | null) {
    this.name = name;
    this.#broker = broker;
    this.address = address;
    this.#data = data;
    this.#admin = admin;
  }

  get pid(): number {
    return this.#broker.pid;
  }

  /** Resolves when the process has ended, for whatever reason. */
  get exited(): Promise<number | NodeJS.Signals> {
    return this.#broker.exited;
  }

  /** The last lines of its log. */
  output(): string {
    return this.#broker.output();
  }

  /** True when `/healthz` answers 200 within a second, and for a broker that has none. */
  async isHealthy(): Promise<boolean> {
    if (this.#admin === null) return true;
    const answer = await fetch(`${this.#admin}/healthz`, { signal: AbortSignal.timeout(1000) }).catch(() => null);
    return answer?.ok ?? false;
  }

  /** Number of worker threads that died and were replaced. */
  async workersReplaced(): Promise<number> {
    if (this.#admin === null) return 0;
    const answer = await fetch(`${this.#admin}/metrics`, { signal: AbortSignal.timeout(10_000) }).catch(() => null);
    const line = /^dunlin_workers_replaced_total (\d+)$/m.exec((await answer?.text()) ?? '');
    return Number(line?.[1] ?? 0);
  }

  /** Ends it; one that does not end by itself is killed. Its data is removed. */
  async stop(): Promise<void> {
    await this.#broker.stop().catch(() => this.#broker.kill());
    await rm(this.#data, { recursive: true, force: true });
  }
}
