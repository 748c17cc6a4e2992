import { Command } from 'commander';
import { benchCommand } from './commands/bench.ts';
import { configCommand } from './commands/config.ts';
import { passwdCommand } from './commands/passwd.ts';
import { pubCommand } from './commands/pub.ts';
import { startCommand } from './commands/start.ts';
import { subCommand } from './commands/sub.ts';
import { tokenCommand } from './commands/token.ts';
import { exitCodes } from './exit-code.ts';
import { version } from './version.ts';

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  startCommand,
  pubCommand,
  subCommand,
  passwdCommand,
  tokenCommand,
  configCommand,
  benchCommand,
];

export function buildProgram(): Command {
  const codes = Object.values(exitCodes).map(({ code, meaning }) => `  ${code}  ${meaning}`);
  const program = new Command('dunlin')
    .description('An MQTT 3.1, 3.1.1 and 5.0 broker, and tools to talk to one.')
    .version(version, '--version', 'show the version')
    .helpOption('--help', 'show help; also after every command')
    .helpCommand(false)
    .showSuggestionAfterError()
    .addHelpText('after', `\nExit codes:\n${codes.join('\n')}`);
  for (const command of commands) program.addCommand(command);
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
