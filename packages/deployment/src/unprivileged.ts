/** The user `node` of the image, by whose number files are owned there. */
export const imageUser = 1000;

/** Surroundings of a command: directory, environment and user. */
export interface Surroundings {
  /** The folder it begins in. */
  readonly directory: string;
  /** All of its environment. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * A command that runs without privileges: as it is for who has none, as the user of the image for root. Every step replaces the one before it, so that
 * the process that is started is the program itself and gets its signals.
 */
export function unprivileged(words: readonly string[], { directory, environment }: Surroundings): string[] {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const user = ['setpriv', `--reuid=${imageUser}`, `--regid=${imageUser}`, '--clear-groups', '--no-new-privs', '--'];
  return ['env', '-i', `--chdir=${directory}`, ...variables, ...(isRoot() ? user : []), ...words];
}

/** True when this process may do anything. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}
