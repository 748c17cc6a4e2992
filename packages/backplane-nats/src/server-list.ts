/** Syntax of the NATS servers of a cluster in the configuration, and the message about a wrong list. */
import { CodedError } from '@dunlin/broker/ports';

/** Allowed syntax, for messages. */
export const serverListForm =
  'nats://[user:password@ or token@]host[:port], several separated by commas; tls:// instead of nats:// for TLS';

/** Error of a server list that cannot be used. Its message holds no password and no token. */
export class NatsConfigurationError extends CodedError<'nats-configuration'> {
  constructor(message: string, options?: ErrorOptions) {
    super('nats-configuration', message, options);
  }
}

export interface ServerList {
  /** `host:port` of each, IPv6 addresses in brackets. */
  readonly hosts: readonly string[];
  readonly tls: boolean;
  /** Empty: none. */
  readonly user: string;
  readonly password: string;
  readonly token: string;
}

const defaultPort = 4222;

/** The list without secrets, for logs. */
export function redactServers(servers: string): string {
  // Up to the last @: a secret may hold any character, also unescaped, or a comma by mistake.
  const at = servers.lastIndexOf('@');
  if (at < 0) return servers;
  const scheme = /^\s*[A-Za-z]+:\/\//.exec(servers)?.[0] ?? '';
  return `${scheme}***${servers.slice(at)}`;
}

/** Reads a server list. Throws NatsConfigurationError that says what was given and what is allowed. */
export function parseServers(servers: string): ServerList {
  const refuse = (why: string): never => {
    throw new NatsConfigurationError(`NATS servers "${redactServers(servers)}": ${why}; allowed: ${serverListForm}`);
  };
  const texts = servers.split(',').map((text) => text.trim());
  const parsed = texts.map((text, index) => {
    const place = texts.length === 1 ? '' : ` number ${index + 1}`;
    if (text === '') refuse(`server${place} is empty`);
    const scheme = /^([A-Za-z]+):\/\//.exec(text)?.[1].toLowerCase();
    if (scheme === undefined) refuse(`server${place} has no scheme`);
    if (scheme !== 'nats' && scheme !== 'tls') refuse(`server${place} has the scheme "${scheme}"`);
    return { scheme, url: readUrl(text) ?? refuse(`server${place} is not a URL`) };
  });
  if (new Set(parsed.map(({ scheme }) => scheme)).size > 1) refuse('nats:// and tls:// are mixed');
  const credentials = parsed.map(({ url }) => url).filter((url) => url.user !== '' || url.token !== '');
  for (const { user, password, token } of credentials) {
    const [first] = credentials;
    if (user !== first.user || password !== first.password || token !== first.token) {
      refuse('the servers have different credentials');
    }
  }
  return {
    hosts: parsed.map(({ url }) => url.host),
    tls: parsed[0].scheme === 'tls',
    user: credentials[0]?.user ?? '',
    password: credentials[0]?.password ?? '',
    token: credentials[0]?.token ?? '',
  };
}

interface ServerUrl {
  host: string;
  user: string;
  password: string;
  token: string;
}

/** Null for text that is not a URL or has more than user, host and port. */
function readUrl(text: string): ServerUrl | null {
  try {
    const url = new URL(text);
    const bare = (url.pathname === '' || url.pathname === '/') && url.search === '' && url.hash === '';
    if (!bare || url.hostname === '' || url.port === '0') return null;
    const name = decodeURIComponent(url.username);
    const password = decodeURIComponent(url.password);
    // `token@` and `user:@` differ by the colon alone, which URL does not keep.
    if (text.includes('@') && name === '') return null;
    const isUser = text.slice(0, text.lastIndexOf('@')).replace('://', '').includes(':');
    return {
      host: `${url.hostname}:${url.port === '' ? defaultPort : url.port}`,
      user: isUser ? name : '',
      password: isUser ? password : '',
      token: isUser ? '' : name,
    };
  } catch {
    // Not a URL, or a percent sign that begins no escape: the caller says so.
    return null;
  }
}
