/** Start of a program under test: in a process group of its own, on one core, with a folder that goes with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Time that a broker may take to listen. */
const LISTEN_SECONDS = 25;
/** Pause after a broker listens: what it does right then (warming up, a first tick) is not measured. */
const SETTLE_MS = 1500;
const CONNECT_RETRY_MS = 100;
/** Time from the polite signal to the other one. */
const STOP_MS = 8000;
/** Length of the log that is shown when a broker does not listen. */
const REASON_CHARACTERS = 300;

export const BROKER_CORE = 0;
export const GENERATOR_CORE = 1;

/** Puts a command on one core; on a machine with a single one, and where `taskset` is not, nothing can be pinned. */
export function pinned(core: number, command: readonly string[]): string[] {
  const isPossible = process.platform === 'linux' && availableParallelism() > 1;
  return isPossible ? ['taskset', '-c', String(core), ...command] : [...command];
}

/** The processes of a group: field 5 of /proc/PID/stat, counted after the name in brackets. */
function processGroup(groupId: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[2]) === groupId;
      } catch {
        return false; // it ended while we were looking
      }
    });
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // refused: not yet
  } finally {
    socket.destroy();
  }
}

/** Groups that must not outlive this process, however it ends. */
const running = new Set<number>();
process.on('exit', () => {
  for (const groupId of running) signalGroup(groupId, 'SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

function signalGroup(groupId: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-groupId, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The first line of a log that names an error, or its last line. */
function reasonOf(log: string): string {
  const lines = log.trim().split('\n');
  return (lines.find((line) => /error/i.test(line)) ?? lines[lines.length - 1]).trim().slice(0, REASON_CHARACTERS);
}

/** The program ended or does not listen; the message holds what its log says. */
export class StartFailure extends Error {}

export class BrokerProcess {
  readonly directory: string;
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess, directory: string) {
    this.child = child;
    this.directory = directory;
  }

  /** A folder for one start; `stop` removes it. */
  static makeDirectory(): string {
    return mkdtempSync(join(tmpdir(), 'dunlin-bench-'));
  }

  /**
   * Starts `command` on the broker's core and resolves when every one of `ports` accepts connections.
   * @throws StartFailure when the program ends or does not listen in time.
   */
  static async start(command: readonly string[], ports: readonly number[], directory: string): Promise<BrokerProcess> {
    const logPath = join(directory, 'log.txt');
    const log = openSync(logPath, 'w');
    const [program, ...parameters] = pinned(BROKER_CORE, command);
    const child = spawn(program, parameters, { detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    await once(child, 'spawn');
    const broker = new BrokerProcess(child, directory);
    running.add(broker.groupId);
    if (await broker.waitForPorts(ports)) {
      await delay(SETTLE_MS);
      return broker;
    }
    const reason = reasonOf(readFileSync(logPath, 'utf8'));
    await broker.stop();
    throw new StartFailure(`does not listen on ${ports.join(', ')}: ${reason}`);
  }

  private get groupId(): number {
    return this.child.pid as number;
  }

  private async waitForPorts(ports: readonly number[]): Promise<boolean> {
    const deadline = performance.now() + LISTEN_SECONDS * 1000;
    for (const port of ports) {
      while (!(await listens(port))) {
        if (performance.now() > deadline || this.child.exitCode !== null) return false;
        await delay(CONNECT_RETRY_MS);
      }
    }
    return true;
  }

  pids(): number[] {
    return processGroup(this.groupId);
  }

  async stop(): Promise<void> {
    const ended = this.child.exitCode === null && this.child.signalCode === null ? once(this.child, 'exit') : null;
    signalGroup(this.groupId, 'SIGTERM');
    const kill = setTimeout(() => signalGroup(this.groupId, 'SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(kill);
    signalGroup(this.groupId, 'SIGKILL'); // children that outlived it
    running.delete(this.groupId);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
