import type { Logger } from '@dunlin/broker/ports';
import type { Configuration } from '@dunlin/config';
import type { NodeAudit } from './node-audit.ts';

export type { NodeAudit } from './node-audit.ts';

/**
 * Audit log of a node; null: there is none, and nothing is loaded for it.
 * @throws the file system's error
 */
export async function openAudit({ audit, nodeId }: Configuration, logger: Logger): Promise<NodeAudit | null> {
  if (audit.file === '') return null;
  const { NodeAudit } = await import('./node-audit.ts');
  return new NodeAudit({ nodeId, target: audit.file, logger });
}

/** Identity of this process at its system. */
export function processFields(): { pid: number; uid: number } {
  return { pid: process.pid, uid: process.getuid?.() ?? -1 };
}
