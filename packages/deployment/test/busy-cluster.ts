import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Cluster, type ClusterNode } from '@dunlin/cluster';
import { connectPacket, subscribePacket, TestAuthority, WireClient } from '@dunlin/testkit';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { repositoryRoot } from '../src/repository-root.ts';

const run = promisify(execFile);
const dunlin = join(repositoryRoot, 'packages', 'cli', 'bin', 'dunlin.js');

const user = { username: 'ann', password: 'a right password' };
const rules = ['- { deny: publish, topics: forbidden/# }', "- { allow: all, user: ann, topics: ['#', '$SYS/#'] }", ''];
/** Small, so that a test reaches them; and a drain slow enough to be seen. */
const settings = {
  'limits.queuedMessagesMax': 5,
  'limits.linkBytesMax': 65_536,
  'limits.routeConfirmMilliseconds': 300,
  'drain.ratePerSecond': 3,
};
/** MQTT.js gives up by itself after half a minute otherwise; a busy machine may take long. */
const connectMilliseconds = 15_000;

/** The listeners of a node, in the order in which its log names them. */
const listeners = ['tcp', 'ws', 'tls', 'proxied', 'single'] as const;
export type ListenerName = (typeof listeners)[number];

/** The further listeners of every node, on ports that the system picks. */
function listenersWith(cert: string, key: string): string[] {
  return [
    `tls://127.0.0.1:0?name=tls&cert=${cert}&key=${key}`,
    'tcp://127.0.0.1:0?name=proxied&proxy=required&trustedProxies=127.0.0.1',
    'tcp://127.0.0.1:0?name=single&connectionsMax=1',
  ];
}

/** The addresses in the line of a node's log that says that it is ready; null: another line. */
function readyAddresses(line: string): string[] | null {
  if (!line.includes('"event":"node.started"')) return null;
  return (JSON.parse(line) as { listeners: string[] }).listeners;
}

/** Three nodes with passwords, rules and certificates, whose ways to Redis and NATS can be cut; and their clients. */
export class BusyCluster {
  readonly cluster: Cluster;
  readonly #addresses: ReadonlyMap<string, readonly string[]>;
  readonly #authority: TestAuthority;
  readonly #directory: string;
  readonly #clients: MqttClient[] = [];
  readonly #wires: WireClient[] = [];

  private constructor(
    cluster: Cluster,
    addresses: ReadonlyMap<string, readonly string[]>,
    authority: TestAuthority,
    directory: string,
  ) {
    this.cluster = cluster;
    this.#addresses = addresses;
    this.#authority = authority;
    this.#directory = directory;
  }

  static async start(): Promise<BusyCluster> {
    const directory = await mkdtemp(join(tmpdir(), 'dunlin-busy-'));
    const authority = await TestAuthority.make();
    const { cert, key } = await authority.issue('localhost', { days: 30 });
    const [users, rulesFile] = [join(directory, 'users'), join(directory, 'rules.yaml')];
    const passwd = ['passwd', '-c', '-b', users, user.username, user.password];
    await run(process.execPath, ['--conditions=source', dunlin, ...passwd]);
    await writeFile(rulesFile, rules.join('\n'));
    const addresses = new Map<string, string[]>();
    const cluster = await Cluster.start({
      ...{ nodes: 3, workers: 1, proxies: true, logs: directory },
      nodeArguments: [
        ...listenersWith(cert, key).flatMap((url) => ['--listener', url]),
        ...['--password-file', users, '--rules-file', rulesFile],
        ...Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
      ],
      onLine: ({ name }, line) => {
        const found = readyAddresses(line);
        if (found !== null) addresses.set(name, found);
      },
    });
    return new BusyCluster(cluster, addresses, authority, directory);
  }

  /** Addresses of the nodes' admin servers, `HOST:PORT`. */
  get admins(): string[] {
    return this.cluster.nodes.map(({ admin }) => `127.0.0.1:${admin}`);
  }

  node(id: string): ClusterNode {
    return this.cluster.node(id);
  }

  /** URL of a listener of a node, as clients write it. */
  url(id: string, listener: ListenerName): string {
    const address = this.#addresses.get(id)?.[listeners.indexOf(listener)];
    if (address === undefined) throw new RangeError(`node ${id} has not said where its listener ${listener} is`);
    return address.replace(/^tcp:/, 'mqtt:').replace(/^tls:/, 'mqtts:');
  }

  /** A client that acknowledges what it gets, and that does not come back by itself. */
  async client(url: string, options: IClientOptions = {}): Promise<MqttClient> {
    const client = await connectAsync(url, {
      ...{ ...user, protocolVersion: 5, reconnectPeriod: 0, keepalive: 0, rejectUnauthorized: false },
      ...{ connectTimeout: connectMilliseconds, ...options },
    });
    client.on('error', () => undefined); // Its connection is reset when its node is.
    this.#clients.push(client);
    return client;
  }

  /** A connection that says only what the test says. */
  async wire(url: string): Promise<WireClient> {
    const wire = await WireClient.open(url, 5);
    this.#wires.push(wire);
    return wire;
  }

  /** A subscriber that acknowledges nothing: of QoS 1 and 2 it gets a single message. */
  async silentSubscriber(
    url: string,
    { clientId, filter, qos, version }: { clientId: string; filter: string; qos: 0 | 1; version: 4 | 5 },
  ): Promise<WireClient> {
    const wire = await this.wire(url);
    wire.version = version;
    const properties = version === 5 ? { receiveMaximum: 1 } : {};
    wire.send(connectPacket({ version, clientId, userName: user.username, password: user.password, properties }));
    await wire.expect('connack', connectMilliseconds);
    wire.send(subscribePacket({ filter, qos }));
    await wire.expectAmong('suback');
    return wire;
  }

  /** Lets clients go, stops everything, removes its files. */
  async stop(): Promise<void> {
    await Promise.all(this.#wires.map((wire) => wire.drop()));
    await Promise.all(this.#clients.map((client) => client.endAsync(true)));
    await this.cluster.stop();
    await this.#authority.remove();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
