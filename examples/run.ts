/** The command that shows an example in the browser: `npm run example -- NAME`. */
import { existsSync, readdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { servePage } from './page-server.ts';

/** Address of the broker for pages whose address has none: the port of Dunlin's WebSocket listener. */
const defaultBroker = 'ws://127.0.0.1:8083/mqtt';

/** The ports of the pages: one each, so that they can be open side by side. */
const ports: Readonly<Record<string, number>> = { gauge: 8100, chat: 8101 };

/** A broker on this machine answers within milliseconds; one that has not by then is reported as absent. */
const brokerMilliseconds = 2000;

const startBroker = 'npm start -- --listener tcp://127.0.0.1:1883 --listener ws://127.0.0.1:8083/mqtt';

const usage = `npm run example -- NAME [options]      NAME: ${Object.keys(ports).join(', ')}

  --port P        where the page is served, on 127.0.0.1; 0 takes a free port (${Object.entries(ports)
    .map(([name, port]) => `${name} ${port}`)
    .join(', ')})
  --broker URL    the broker that the page connects to (${defaultBroker})

Serves the page until Ctrl-C. The broker is a program of its own:
  ${startBroker}
`;

/** A wrong option. */
class UsageError extends Error {}

function portOf(name: string, text: string | undefined): number {
  if (text === undefined) return ports[name];
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new UsageError(`--port must be a number from 0 to 65535, not '${text}'`);
  return port;
}

function brokerOf(text: string): string {
  if (/^wss?:$/.test(URL.parse(text)?.protocol ?? '')) return text;
  throw new UsageError(
    `--broker must be like ${defaultBroker}, not '${text}': browsers speak MQTT over WebSocket alone`,
  );
}

/** The example of that name; what is an example without a page says where to read on. */
function nameOf(names: readonly string[]): string {
  const [name] = names;
  if (names.length !== 1) throw new UsageError(`name one example: ${Object.keys(ports).join(' or ')}`);
  if (Object.hasOwn(ports, name)) return name;
  const others = readdirSync(import.meta.dirname).filter((other) =>
    existsSync(join(import.meta.dirname, other, 'README.md')),
  );
  throw new UsageError(
    others.includes(name)
      ? `${name} has no page; its commands are in examples/${name}/README.md`
      : `no example is called '${name}'; there are: ${Object.keys(ports).join(', ')}`,
  );
}

function readOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      port: { type: 'string' },
      broker: { type: 'string', default: defaultBroker },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  const name = nameOf(positionals);
  return { name, port: portOf(name, values.port), broker: brokerOf(values.broker) };
}

/** True when something takes MQTT over WebSocket at `url`. */
async function isAnswered(url: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = new WebSocket(url, 'mqtt');
  const timer = setTimeout(() => resolve(false), brokerMilliseconds);
  socket.addEventListener('open', () => resolve(true));
  socket.addEventListener('error', () => resolve(false));
  const answered = await promise;
  clearTimeout(timer);
  socket.close();
  return answered;
}

async function run(): Promise<number> {
  const options = readOptions();
  if (options === null) {
    process.stdout.write(usage);
    return 0;
  }
  const { name, port, broker } = options;
  const server = await servePage(join(import.meta.dirname, name), port);
  const query = broker === defaultBroker ? '' : `?broker=${encodeURIComponent(broker)}`;
  console.log(`${name}: http://127.0.0.1:${(server.address() as AddressInfo).port}/${query}      (Ctrl-C ends it)`);
  if (await isAnswered(broker)) {
    console.log(`The broker at ${broker} answers.`);
  } else {
    console.log(`No broker takes WebSockets at ${broker} yet. To start one, in another terminal:`);
    console.log(`  ${startBroker}`);
    console.log('The page connects by itself as soon as it is there.');
  }
  return 0;
}

/** Says what is wrong in a line or two, with what to do; returns the exit code. */
function explain(error: NodeJS.ErrnoException & { port?: number }): number {
  if (error.code === 'EADDRINUSE') {
    console.error(`Port ${error.port} is in use, maybe by this example in another terminal. Another one: --port 0`);
    return 1;
  }
  if (error instanceof UsageError || error.code?.startsWith('ERR_PARSE_ARGS')) {
    console.error(`${error.message}\n\n${usage}`);
    return 2;
  }
  throw error;
}

process.exitCode = await run().catch(explain);
