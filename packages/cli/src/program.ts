import { Command } from 'commander';
import { exitCodes } from './exit-code.ts';
import { version } from './version.ts';

/** Every command, in the order of the help. Each is loaded when it is needed: `start` has no use for the client of `pub`. */
const loaders: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('./commands/start.ts')).startCommand,
  pub: async () => (await import('./commands/pub.ts')).pubCommand,
  sub: async () => (await import('./commands/sub.ts')).subCommand,
  passwd: async () => (await import('./commands/passwd.ts')).passwdCommand,
  token: async () => (await import('./commands/token.ts')).tokenCommand,
  ban: async () => (await import('./commands/ban.ts')).banCommand,
  status: async () => (await import('./commands/status.ts')).statusCommand,
  clients: async () => (await import('./commands/clients.ts')).clientsCommand,
  client: async () => (await import('./commands/clients.ts')).clientCommand,
  explain: async () => (await import('./commands/explain.ts')).explainCommand,
  kick: async () => (await import('./commands/clients.ts')).kickCommand,
  sessions: async () => (await import('./commands/clients.ts')).sessionsCommand,
  retained: async () => (await import('./commands/retained.ts')).retainedCommand,
  nodes: async () => (await import('./commands/nodes.ts')).nodesCommand,
  cordon: async () => (await import('./commands/nodes.ts')).cordonCommand,
  drain: async () => (await import('./commands/nodes.ts')).drainCommand,
  rebalance: async () => (await import('./commands/rebalance.ts')).rebalanceCommand,
  listeners: async () => (await import('./commands/listeners.ts')).listenersCommand,
  keys: async () => (await import('./commands/keys.ts')).keysCommand,
  config: async () => (await import('./commands/config.ts')).configCommand,
  bench: async () => (await import('./commands/bench.ts')).benchCommand,
};

/** The program with the command that the first word names; with all of them, for the help, when it names none. */
export async function buildProgram(words: readonly string[]): Promise<Command> {
  const named = Object.hasOwn(loaders, words[0] ?? '') ? [loaders[words[0]]] : Object.values(loaders);
  const codes = Object.values(exitCodes).map(({ code, meaning }) => `  ${code}  ${meaning}`);
  const program = new Command('dunlin')
    .description('An MQTT 3.1, 3.1.1 and 5.0 broker, and tools to talk to one.')
    .version(version, '--version', 'show the version')
    .helpOption('--help', 'show help; also after every command')
    .helpCommand(false)
    .showSuggestionAfterError()
    .addHelpText('after', `\nExit codes:\n${codes.join('\n')}`);
  for (const load of named) program.addCommand(await load());
  prepare(program, 'dunlin');
  return program;
}

/** Every level of the tree throws instead of ending the process, and takes `--help`. */
function prepare(command: Command, words: string): void {
  command.exitOverride().showHelpAfterError(`(see ${words} --help)`);
  for (const child of command.commands) {
    child.helpCommand(false);
    if (!['pub', 'sub'].includes(child.name())) child.helpOption('--help', 'show this help');
    prepare(child, `${words} ${child.name()}`);
  }
}
