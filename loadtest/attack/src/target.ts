import { pbkdf2Sync, randomBytes, scryptSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrokerProcess, freePort, startDunlin, startMosquitto, TestAuthority } from '@dunlin/testkit';

/** Brokers that can be attacked. */
export type BrokerName = 'dunlin' | 'mosquitto';

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
    await write('users', `${hashed.join('\n')}\n`);
    await write('rules.yaml', rules);
    await write('mosquitto-users', `${users.map(mosquittoLine).join('\n')}\n`);
    await write('mosquitto-rules', `${accessList}\n`);
    return new Targets(directory, authority, certificate);
  }

  /** Starts a broker with its own defaults but for what is asked: users, rights, three listeners, a store on disk. */
  start(name: BrokerName, workers: number): Promise<Target> {
    return name === 'dunlin' ? this.#startDunlin(workers) : this.#startMosquitto();
  }

  async remove(): Promise<void> {
    await this.#authority.remove();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #startDunlin(workers: number): Promise<Target> {
    const data = await mkdtemp(join(this.#directory, 'data-'));
    const [tlsPort, webSocketPort, adminPort] = [await freePort(), await freePort(), await freePort()];
    const { cert, key } = this.#certificate;
    const broker = await startDunlin({
      store: 'lmdb',
      dataDirectory: data,
      workers,
      listeners: [`tls://127.0.0.1:${tlsPort}?cert=${cert}&key=${key}`, `ws://127.0.0.1:${webSocketPort}`],
      set: {
        'admin.address': `127.0.0.1:${adminPort}`,
        'authentication.passwordFile': join(this.#directory, 'users'),
        'authorization.rulesFile': join(this.#directory, 'rules.yaml'),
        // As a container of 512 MiB has it by default: half of its memory, divided by two workers.
        'limits.subscriptionBytesNodeMax': 128 * 1024 * 1024,
      },
    });
    const address = { host: '127.0.0.1', port: broker.port, tlsPort, webSocketPort, adminPort };
    return new Target('dunlin', broker, address, data, `http://127.0.0.1:${adminPort}`);
  }

  async #startMosquitto(): Promise<Target> {
    const data = await mkdtemp(join(this.#directory, 'data-'));
    const tlsPort = await freePort();
    const { cert, key } = this.#certificate;
    const broker = await startMosquitto({
      dataDirectory: data,
      configuration: [
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
