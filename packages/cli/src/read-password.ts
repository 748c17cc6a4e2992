import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { CommandError } from './exit-code.ts';

/** Asks twice at a terminal, without showing what is typed; otherwise takes the first line of standard input. */
export async function readPassword(): Promise<string> {
  const { stdin, stderr } = process;
  const isTerminal = stdin.isTTY === true;
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: silent, terminal: isTerminal });
  const iterator = lines[Symbol.asyncIterator]();
  const ask = async (question: string): Promise<string> => {
    if (isTerminal) stderr.write(question);
    const { value, done } = await iterator.next();
    if (isTerminal) stderr.write('\n');
    if (done === true) throw new CommandError('usage', 'no password was given');
    return value as string;
  };
  try {
    const password = await ask('Password: ');
    if (isTerminal && (await ask('Again: ')) !== password)
      throw new CommandError('usage', 'the two passwords are not the same');
    return password;
  } finally {
    lines.close();
  }
}
