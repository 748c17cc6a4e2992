import { existsSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join, resolve } from 'node:path';
import { CodedError } from '@dunlin/broker/ports';

/** The name of the socket in the data directory. */
const socketName = 'control.sock';
/** Longest path of a Unix socket that every system takes (macOS: 104 bytes with the zero behind it). */
export const socketPathBytesMax = 103;
/** Time in which a node answers. */
const answerMilliseconds = 5000;
/** Longest answer: 100,000 bans with long reasons. */
const answerBytesMax = 256 * 1024 * 1024;

/** The node behind a control socket cannot be reached, or refuses what it was asked. */
export class ControlError extends CodedError<'control-unavailable' | 'control-refused'> {}

/** Path of the socket at which a node with an embedded store takes commands. */
export function controlSocketOf(dataDirectory: string): string {
  return join(resolve(dataDirectory), socketName);
}

/** Asks the node that runs on a data directory, over its control socket. Rejects with ControlError. */
export async function askNode(dataDirectory: string, method: string, path: string, body: unknown): Promise<unknown> {
  const socketPath = controlSocketOf(dataDirectory);
  const away = (why: string, cause?: unknown): ControlError =>
    new ControlError('control-unavailable', `no node can be asked at ${socketPath}: ${why}`, { cause });
  if (!existsSync(socketPath)) throw away('there is no such socket; a node with this store.path must be running');
  let answer: IncomingMessage;
  let text: string;
  try {
    const sent = body === null ? '' : JSON.stringify(body);
    // Node sends a GET or DELETE with a body only if its length is given.
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(sent) };
    const asked = request({ socketPath, method, path, headers });
    asked.setTimeout(answerMilliseconds, () => asked.destroy(away(`no answer within ${answerMilliseconds} ms`)));
    asked.end(sent);
    answer = await new Promise<IncomingMessage>((done, failed) => asked.on('response', done).on('error', failed));
    text = await textOf(answer, answerBytesMax);
  } catch (error) {
    throw error instanceof ControlError ? error : away((error as Error).message, error);
  }
  const said = JSON.parse(text) as { error?: string };
  if (answer.statusCode === 200) return said;
  if (answer.statusCode === 503) throw away(said.error ?? '');
  throw new ControlError('control-refused', said.error ?? `HTTP ${answer.statusCode}`);
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
