import { isIP } from 'node:net';
import { type ConnectionOptions, connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import type { ServerList } from './server-list.ts';
import type { Timings } from './timings.ts';

/** Credentials and trust of one side of a connection to NATS. */
export interface NatsCredentials {
  /** Password of the user that the server list names, or the token if it names none; replaces the one in the list. */
  secret?: string;
  /** The JWT and key of a user, as `nsc` writes them into a file. */
  userFile?: Buffer;
  /** Authorities that the certificate of the server is checked against, PEM. Absent: those of the system. */
  ca?: Buffer;
  /** The certificate and key of this side, PEM. */
  certificate?: Buffer;
  key?: Buffer;
}

/**
 * Called before every attempt to connect, so that a changed password or certificate needs no restart. Never rejects.
 */
export type ReadCredentials = () => Promise<NatsCredentials>;

export interface DialerOptions {
  /** The name that the server shows for the connection. */
  name: string;
  servers: ServerList;
  credentials: ReadCredentials;
  timings: Readonly<Timings>;
}

/**
 * Makes connections, one at each call, with the current credentials. The client library could reconnect by itself, but
 * with the password that it was first given, and it does not report why an attempt failed.
 */
export class Dialer {
  readonly #options: DialerOptions;
  /** Servers of the same cluster that are not configured, as the last server reported them: `host:port`. */
  #others: readonly string[] = [];
  /**
   * Name by which the last server was reached: its certificate contains it, and it is used for addresses that servers
   * report of each other.
   */
  #serverName = '';

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /**
   * Makes one attempt with every server: those that are configured, then those that servers reported. Throws the error
   * of the first of these.
   */
  async dial(): Promise<NatsConnection> {
    const credentials = await this.#options.credentials();
    let failure: unknown;
    const named = this.#others.filter((host) => !isAddress(host));
    const addresses = this.#others.filter(isAddress);
    for (const hosts of [this.#options.servers.hosts, named, addresses]) {
      if (hosts.length === 0) continue;
      try {
        return await connect(this.#clientOptions(hosts, credentials, hosts === addresses ? this.#serverName : ''));
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  }

  /** Remembers the servers that a connection reports. */
  learn(connection: NatsConnection): void {
    const configured = new Set(this.#options.servers.hosts);
    this.#others = (connection.info?.connect_urls ?? []).filter((host) => !configured.has(host));
    const server = connection.getServer();
    if (!isAddress(server)) this.#serverName = hostOf(server);
  }

  #clientOptions(hosts: readonly string[], credentials: NatsCredentials, servername: string): ConnectionOptions {
    const { name, servers, timings } = this.#options;
    const { secret, userFile, ca, certificate, key } = credentials;
    const options: ConnectionOptions = {
      name,
      servers: [...hosts],
      noEcho: true,
      noAsyncTraces: true,
      reconnect: false,
      timeout: timings.attemptMilliseconds,
      pingInterval: timings.pingMilliseconds,
      maxPingOut: 2,
    };
    if (servers.user !== '') Object.assign(options, { user: servers.user, pass: secret ?? servers.password });
    else if (secret !== undefined || servers.token !== '') options.token = secret ?? servers.token;
    if (userFile !== undefined) options.authenticator = credsAuthenticator(userFile);
    if (servers.tls || ca !== undefined || certificate !== undefined) {
      const text = (pem: Buffer | undefined): string | undefined => pem?.toString('utf8');
      const named = servername === '' ? {} : { servername };
      options.tls = { ca: text(ca), cert: text(certificate), key: text(key), ...named };
    }
    return options;
  }
}

function isAddress(hostAndPort: string): boolean {
  return isIP(hostOf(hostAndPort)) !== 0;
}

function hostOf(hostAndPort: string): string {
  return hostAndPort.slice(0, hostAndPort.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}
