import { Command } from 'commander';
import { CommandError } from '../exit-code.ts';
import { readPassword } from '../read-password.ts';

interface PasswdValues {
  create?: boolean;
  batch?: boolean;
  delete?: boolean;
  scram?: boolean;
}

export const passwdCommand: Command = new Command('passwd')
  .description('set or remove a user in a password file')
  .argument('<file>', 'the password file')
  .argument('<user>', 'the name of the user')
  .argument('[password]', 'with -b; otherwise it is asked for, or read from standard input')
  .option('-c, --create', 'make a new file; one that is there is replaced')
  .option('-b, --batch', 'the password stands in the command line, where other users of this machine can see it')
  .option(
    '--scram',
    'keep a SCRAM-SHA-256 verifier, for clients that never send their password; plain passwords work as well',
  )
  .option('-D, --delete', 'remove the user')
  .action(passwd);

async function passwd(file: string, userName: string, given: string | undefined, values: PasswdValues): Promise<void> {
  const { create = false, batch = false, delete: isRemoved = false, scram = false } = values;
  const { AccessFileError, changePassword, userNameFault } = await import('@dunlin/auth');
  const fault = userNameFault(userName);
  if (fault !== null) throw new CommandError('usage', fault);
  if (isRemoved && (create || batch || scram || given !== undefined))
    throw new CommandError('usage', '-D needs a file and a user, and allows neither a password nor -b, -c or --scram');
  if (batch !== (given !== undefined))
    throw new CommandError(
      'usage',
      batch
        ? '-b needs the password behind the user'
        : 'a password on the command line needs -b; without it the password is asked for',
    );
  const password = isRemoved ? null : (given ?? (await readPassword()));
  if (password === '') throw new CommandError('usage', 'the password is empty; allowed: one character or more');
  try {
    await changePassword({ file, userName, password, create, scheme: scram ? 'scram' : 'scrypt' });
  } catch (error) {
    if (error instanceof AccessFileError) throw new CommandError('failed', error.message, error);
    throw error;
  }
}
