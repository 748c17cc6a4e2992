import type { SigningOptions } from '@dunlin/backplane-nats';
import { codeOf, type Logger } from '@dunlin/broker/ports';
import type { Configuration } from '@dunlin/config';
import { events } from '../log-events.ts';
import { SecretFile } from '../secret-file.ts';

/**
 * Signatures of messages between nodes, as configured; undefined: there are none. What the file holds later, and cannot be used, changes nothing.
 * @throws ClusterSecretError, or the file system's error
 */
export async function clusterSigning({ cluster }: Configuration, logger: Logger): Promise<SigningOptions | undefined> {
  if (cluster.secretFile === '') return undefined;
  const { parseSecrets } = await import('@dunlin/backplane-nats');
  const file = new SecretFile(cluster.secretFile, 'the cluster', logger);
  const secrets = parseSecrets((await file.readText()) ?? '');
  let isRefused = false;
  const read = async (): Promise<readonly string[] | null> => {
    try {
      const read = parseSecrets((await file.readText()) ?? '');
      isRefused = false;
      return read;
    } catch (error) {
      if (!isRefused)
        logger.error(events['cluster-secret.reload-failed'], {
          file: cluster.secretFile,
          error: (error as Error).message,
          errorCode: codeOf(error),
        });
      isRefused = true;
      return null;
    }
  };
  return { secrets, read, allowUnsigned: cluster.allowUnsigned };
}
