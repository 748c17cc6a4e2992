import { CodedError } from '@dunlin/protocol/coded-error';

/** Exit codes of the command. Shown by `dunlin --help` and in README.md. */
export const exitCodes = {
  done: { code: 0, meaning: 'done as asked' },
  failed: { code: 1, meaning: 'failed; the reason is on standard error' },
  usage: { code: 2, meaning: 'wrong options, or a configuration that is refused' },
  refused: {
    code: 3,
    meaning: 'no connection to the broker, or it refused the client, the publish or the subscription',
  },
  timeout: { code: 4, meaning: 'the time given with -W was over before everything was received' },
} as const;

export type ExitName = Exclude<keyof typeof exitCodes, 'done'>;

/** A failure with the exit code it ends the command with; the message is for people. */
export class CommandError extends CodedError<`command-${ExitName}`> {
  readonly exit: ExitName;
  constructor(exit: ExitName, message: string, cause?: unknown) {
    super(`command-${exit}`, message, { cause });
    this.exit = exit;
  }
}
