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
    // An answer to what is asked behind it marks the end: no reply has to be parsed. Sentinel knows PING, but not ECHO.
    const mark = `end-of-${Math.random()}`;
    let reply = '';
    socket.setEncoding('utf8');
    socket.write([...login, encode(args), encode(['PING', mark])].join(''));
    const complete = new Promise<void>((resolve, reject) => {
      socket.on('data', (data) => {
        reply += data;
        if (reply.includes(mark)) resolve();
      });
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('Redis closed the connection')));
    });
    await withDeadline(complete, () => `Redis has not answered ${args.join(' ')}: ${reply}`);
    reply = reply.slice(login.length > 0 ? '+OK\r\n'.length : 0, reply.indexOf(`$${mark.length}\r\n${mark}`));
    if (reply.startsWith('-')) throw new Error(`Redis answered ${args.join(' ')} with ${reply.trim()}`);
    return reply;
  } finally {
    socket.removeAllListeners('close');
    socket.destroy();
    await once(socket, 'close');
  }
}

function encode(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((argument) => `$${Buffer.byteLength(argument)}\r\n${argument}\r\n`).join('')}`;
}
