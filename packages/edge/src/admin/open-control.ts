import type { Audit, Store } from '@dunlin/broker/ports';
import type { NodeLogger } from '@dunlin/telemetry';
import type { ControlServer } from './control-server.ts';

export type { ControlServer } from './control-server.ts';

/** Loads and opens the server for commands: only a node with an embedded store has one. */
export async function openControl(
  dataDirectory: string,
  store: Store,
  logger: NodeLogger,
  audit: Audit | null,
): Promise<ControlServer> {
  const { ControlServer } = await import('./control-server.ts');
  const control = new ControlServer(store, logger, audit);
  await control.listen(dataDirectory);
  return control;
}
