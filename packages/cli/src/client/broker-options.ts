/** Options that say where the broker is and how it is reached, with Mosquitto's names. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CommandError } from '../exit-code.ts';
import type { BrokerAddress, BrokerTls } from './broker-stream.ts';

/** Values of options as commander gives them. */
export interface BrokerValues {
  host?: string;
  port?: number;
  unix?: string;
  url?: string;
  username?: string;
  pw?: string;
  cafile?: string;
  capath?: string;
  tlsUseOsCerts?: boolean;
  cert?: string;
  key?: string;
  insecure?: boolean;
  tlsVersion?: BrokerTls['version'];
  alpn?: string;
}

const schemes: Record<string, { port: number; isSecure: boolean; isWebSocket: boolean }> = {
  'mqtt:': { port: 1883, isSecure: false, isWebSocket: false },
  'mqtts:': { port: 8883, isSecure: true, isWebSocket: false },
  'ws:': { port: 8083, isSecure: false, isWebSocket: true },
  'wss:': { port: 8084, isSecure: true, isWebSocket: true },
};
const urlForm = 'mqtt[s]://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC, ws[s]://[USER[:PASSWORD]@]HOST[:PORT]/PATH';

/** Parts of the URL behind `-L`. */
export interface BrokerUrl {
  host: string;
  port: number;
  isSecure: boolean;
  webSocketPath: string | null;
  userName: string | null;
  password: string | null;
  /** Behind the host of mqtt and mqtts; empty: none. */
  topic: string;
}

/** @throws CommandError `usage` */
export function parseBrokerUrl(text: string): BrokerUrl {
  const url = URL.canParse(text) ? new URL(text) : null;
  const scheme = url === null ? undefined : schemes[url.protocol];
  if (url === null || scheme === undefined || url.hostname === '')
    throw new CommandError('usage', `-L: given "${text}", allowed: ${urlForm}`);
  const path = `${url.pathname}${url.search}`;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? scheme.port : Number(url.port),
    isSecure: scheme.isSecure,
    webSocketPath: scheme.isWebSocket ? path : null,
    userName: url.username === '' ? null : decodeURIComponent(url.username),
    password: url.password === '' ? null : decodeURIComponent(url.password),
    topic: scheme.isWebSocket ? '' : decodeURIComponent(path.replace(/^\//, '')) + decodeURIComponent(url.hash),
  };
}

function readTlsVersion(text: string): BrokerTls['version'] {
  if (text === 'tlsv1.2') return 'TLSv1.2';
  if (text === 'tlsv1.3') return 'TLSv1.3';
  throw new InvalidArgumentError('Allowed: tlsv1.2, tlsv1.3.');
}

function readPort(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError('Allowed: a whole number from 1 to 65535.');
}

/** Adds the options that say where the broker is. */
export function addBrokerOptions(command: Command): Command {
  return command
    .option('-h, --host <host>', 'broker to connect to (default: "127.0.0.1")')
    .option('-p, --port <port>', 'its port (default: 1883, with TLS 8883)', readPort)
    .option('-L, --url <url>', `all of it at once: ${urlForm}`)
    .option('--unix <path>', 'connect through a Unix socket instead')
    .option('-u, --username <name>', 'user name')
    .option('-P, --pw <password>', 'password')
    .option('--cafile <file>', 'TLS: authorities to trust, PEM')
    .option('--capath <directory>', 'TLS: a directory of such files')
    .option('--tls-use-os-certs', "TLS: trust the system's authorities; as with mqtts and wss without --cafile")
    .option('--cert <file>', 'TLS: the certificate of this client, PEM')
    .option('--key <file>', 'TLS: the key of that certificate, PEM')
    .option('--insecure', 'TLS: the certificate may be for another host; never outside of tests')
    .addOption(new Option('--tls-version <version>', 'TLS: tlsv1.2 or tlsv1.3 (both)').argParser(readTlsVersion))
    .option('--alpn <protocol>', 'TLS: the protocol to ask for, such as mqtt');
}

/** Reason for which the system cannot open a file or directory, as it is shown. */
function fileFault(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code === 'ENOENT' ? 'it does not exist' : message;
}

/** @throws CommandError `usage` */
export function readFileOf(option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CommandError('usage', `${option}: the file ${file} cannot be read: ${fileFault(cause)}`, cause);
  }
}

/** Every file of the directory that holds a certificate in PEM; OpenSSL's names of hashes are not needed. */
function readAuthorityDirectory(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (cause) {
    throw new CommandError('usage', `--capath: the directory ${directory} cannot be read: ${fileFault(cause)}`, cause);
  }
  const texts = names.map((name) => readFileOf('--capath', join(directory, name)).toString());
  const authorities = texts.filter((text) => text.includes('-----BEGIN CERTIFICATE-----'));
  if (authorities.length === 0)
    throw new CommandError('usage', `--capath: no file of ${directory} is a certificate in PEM`);
  return authorities;
}

function readTls(values: BrokerValues): BrokerTls {
  if ((values.cert === undefined) !== (values.key === undefined))
    throw new CommandError('usage', '--cert and --key belong together');
  const ca = [
    ...(values.cafile === undefined ? [] : [readFileOf('--cafile', values.cafile).toString()]),
    ...(values.capath === undefined ? [] : readAuthorityDirectory(values.capath)),
  ];
  if (ca.length === 0 || values.tlsUseOsCerts) ca.push(...getCACertificates('default'), ...getCACertificates('system'));
  return {
    ca,
    cert: values.cert === undefined ? null : readFileOf('--cert', values.cert),
    key: values.key === undefined ? null : readFileOf('--key', values.key),
    checksHost: values.insecure !== true,
    version: values.tlsVersion ?? null,
    alpn: values.alpn ?? null,
  };
}

/** Reads the broker's address, and the credentials of the client. */
export function readBroker(values: BrokerValues): BrokerAddress & { userName: string | null; password: string | null } {
  const url = values.url === undefined ? null : parseBrokerUrl(values.url);
  if (url !== null && (values.host !== undefined || values.port !== undefined || values.unix !== undefined))
    throw new CommandError('usage', '-L says where the broker is; -h, -p and --unix do not go with it');
  const names = ['cafile', 'capath', 'tlsUseOsCerts', 'cert', 'key', 'insecure', 'tlsVersion', 'alpn'] as const;
  const isAsked = values.cafile !== undefined || values.capath !== undefined || values.tlsUseOsCerts === true;
  const isSecure = url === null ? isAsked : url.isSecure;
  const given = names.find((name) => values[name] !== undefined);
  if (!isSecure && given !== undefined) {
    const option = `--${given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const need = url === null ? '--cafile, --capath, --tls-use-os-certs or -L mqtts://…' : '-L mqtts://… or wss://…';
    throw new CommandError('usage', `${option} is for TLS, which needs ${need}`);
  }
  return {
    host: url?.host ?? values.host ?? '127.0.0.1',
    port: url?.port ?? values.port ?? (isSecure ? 8883 : 1883),
    unixPath: values.unix ?? null,
    webSocketPath: url?.webSocketPath ?? null,
    tls: isSecure ? readTls(values) : null,
    userName: values.username ?? url?.userName ?? null,
    password: values.pw ?? url?.password ?? null,
  };
}

/** The topics of `-t`, or the one behind the host of `-L mqtt://HOST/TOPIC`. @throws CommandError `usage` */
export function readTopics(topics: readonly string[], values: BrokerValues): string[] {
  const fromUrl = values.url === undefined ? '' : parseBrokerUrl(values.url).topic;
  const all = [...topics, ...(fromUrl === '' ? [] : [fromUrl])];
  if (all.length === 0)
    throw new CommandError(
      'usage',
      "required option '-t, --topic <topic>' not specified, nor a topic in -L mqtt://HOST/TOPIC",
    );
  return all;
}
