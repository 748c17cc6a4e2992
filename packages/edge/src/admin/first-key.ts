import type { AdminKeyStore } from '@dunlin/broker/ports';
import type { Configuration } from '@dunlin/config';
import type { NodeLogger } from '@dunlin/telemetry';
import { events } from '../log-events.ts';
import { SecretFile, SecretFileError } from '../secret-file.ts';

/** A key that is shorter could be guessed. */
const keyCharactersMin = 16;

/**
 * Sees to it that the administration API, where it has an address, has a key: the one of the configuration, else the
 * first one of an embedded store. `keys`: of the store; null: the supervisor has no view of it.
 * @throws SecretFileError, or the file system's error
 */
export async function provideFirstKey(
  { admin, store }: Configuration,
  keys: AdminKeyStore | null,
  logger: NodeLogger,
): Promise<void> {
  if (admin.address === '') return;
  if (admin.keyFile !== '') {
    const key = await new SecretFile(admin.keyFile, 'the administration API', logger).readText();
    const { length } = key?.trim() ?? '';
    if (length < keyCharactersMin)
      throw new SecretFileError(
        `admin.keyFile: ${admin.keyFile} holds a key of ${length} characters, allowed: ${keyCharactersMin} or more, such as those of \`openssl rand -base64 32\``,
      );
    return;
  }
  if (store.kind !== 'lmdb' || keys === null) {
    const known = (await keys?.list().catch(() => [])) ?? [];
    if (known.length === 0) logger.info(events['admin-key.needed']);
    return;
  }
  const { writeFirstKey } = await import('../api/first-key.ts');
  const file = await writeFirstKey(store.path, keys);
  if (file !== null) logger.info(events['admin-key.written'], { file });
}
