import { once } from 'node:events';
import { createConnection } from 'node:net';
import { withDeadline } from './deadline.ts';

/**
 * Sends one command to a Redis server without TLS and gives its raw reply as text, on a connection of its own: enough to set up and to look at servers, without
 * a client library. An error reply is thrown.
 */
export async function redisCall(url: string, args: readonly string[]): Promise<string> {
  const { hostname, port, password } = new URL(url);
  const socket = createConnection({ host: hostname, port: Number(port) });
  try {
    const login = password === '' ? [] : [encode(['AUTH', decodeURIComponent(password)])];
    // A character a byte: lengths in replies count bytes.
    let received = '';
    socket.setEncoding('latin1');
    socket.write([...login, encode(args)].join(''));
    const complete = new Promise<string>((resolve, reject) => {
      socket.on('data', (data) => {
        received += data;
        const from = login.length === 0 ? 0 : endOfReply(received, 0);
        const end = from === -1 ? -1 : endOfReply(received, from);
        if (end !== -1) resolve(received.slice(from, end));
      });
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('Redis closed the connection')));
    });
    const bytes = await withDeadline(complete, () => `Redis has not answered ${args.join(' ')}: ${received}`);
    const reply = Buffer.from(bytes, 'latin1').toString();
    if (reply.startsWith('-')) throw new Error(`Redis answered ${args.join(' ')} with ${reply.trim()}`);
    return reply;
  } finally {
    socket.removeAllListeners('close');
    socket.destroy();
    await once(socket, 'close');
  }
}

/** Returns where the reply that begins there ends; -1: not all of it has come. */
function endOfReply(text: string, from: number): number {
  const lineEnd = text.indexOf('\r\n', from);
  if (lineEnd === -1) return -1;
  const count = Number(text.slice(from + 1, lineEnd));
  let end = lineEnd + 2;
  if (text[from] === '$' && count >= 0) {
    end += count + 2;
    return end <= text.length ? end : -1;
  }
  if (text[from] === '*') for (let i = 0; i < count && end !== -1; i++) end = endOfReply(text, end);
  return end;
}

function encode(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((argument) => `$${Buffer.byteLength(argument)}\r\n${argument}\r\n`).join('')}`;
}
