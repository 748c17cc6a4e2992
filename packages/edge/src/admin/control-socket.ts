import { existsSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { join, resolve } from 'node:path';
import { CodedError } from '@dunlin/broker/ports';

/** The name of the socket in the data directory. */
const socketName = 'control.sock';
/** Longest path of a Unix socket that every system takes (macOS: 104 bytes with the zero behind it). */
export const socketPathBytesMax = 103;
/** Time in which a node answers: it waits for other nodes up to two seconds. */
const answerMilliseconds = 8000;
/** Longest answer: 100,000 bans with long reasons. */
const answerBytesMax = 256 * 1024 * 1024;

/** The node behind a control socket, or a URL, cannot be reached, or refuses what it was asked. */
export class ControlError extends CodedError<'control-unavailable' | 'control-refused'> {}

/** Way to a node: its control socket, or its address with a key. */
export type Door = { readonly socketPath: string } | { readonly url: string; readonly key: string };

/** Path of the socket at which a node with an embedded store takes commands. */
export function controlSocketOf(dataDirectory: string): string {
  return join(resolve(dataDirectory), socketName);
}

/** Asks a node through its administration API. Rejects with ControlError. */
export async function askNode(door: Door, method: string, path: string, body: unknown = null): Promise<unknown> {
  const place = 'url' in door ? door.url : door.socketPath;
  const away = (why: string, cause?: unknown): ControlError =>
    new ControlError('control-unavailable', `no node can be asked at ${place}: ${why}`, { cause });
  if ('socketPath' in door && !existsSync(door.socketPath))
    throw away('there is no such socket; a node with this store.path must be running');
  let answer: IncomingMessage;
  let text: string;
  try {
    answer = await send(door, method, path, body === null ? '' : JSON.stringify(body), away);
    text = await textOf(answer, answerBytesMax);
  } catch (error) {
    throw error instanceof ControlError ? error : away((error as Error).message, error);
  }
  let said: { detail?: string };
  try {
    said = JSON.parse(text) as { detail?: string };
  } catch (cause) {
    throw away(`it does not answer as a node does (HTTP ${answer.statusCode})`, cause);
  }
  if (answer.statusCode === 200) return said;
  if (answer.statusCode === 503) throw away(said.detail ?? '');
  throw new ControlError('control-refused', said.detail ?? `HTTP ${answer.statusCode}`);
}

async function send(
  door: Door,
  method: string,
  path: string,
  sent: string,
  away: (why: string) => ControlError,
): Promise<IncomingMessage> {
  const headers: Record<string, string | number> = {};
  // Node sends a GET or DELETE with a body only if its length is given.
  if (sent !== '')
    Object.assign(headers, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(sent) });
  if ('key' in door) headers.authorization = `Bearer ${door.key}`;
  const asked =
    'url' in door
      ? await requestTo(new URL(path, door.url), { method, headers })
      : request({ socketPath: door.socketPath, method, path, headers });
  asked.setTimeout(answerMilliseconds, () => asked.destroy(away(`no answer within ${answerMilliseconds} ms`)));
  asked.end(sent);
  return new Promise((done, failed) => asked.on('response', done).on('error', failed));
}

/** Loads TLS only for a node behind a proxy that has it. */
async function requestTo(url: URL, options: RequestOptions): Promise<ClientRequest> {
  if (url.protocol !== 'https:') return request(url, options);
  const { request: requestOverTls } = await import('node:https');
  return requestOverTls(url, options);
}

/** The body of a message. Rejects when it is longer. */
export async function textOf(message: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax) throw new RangeError(`given more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
