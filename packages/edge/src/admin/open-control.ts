import type { NodeLogger } from '@dunlin/telemetry';
import type { ApiAnswerer, ControlServer } from './control-server.ts';

export type { ControlServer } from './control-server.ts';

/** Loads and opens the server for commands: only a node with an embedded store has one. */
export async function openControl(
  dataDirectory: string,
  logger: NodeLogger,
  answer: ApiAnswerer,
): Promise<ControlServer> {
  const { ControlServer } = await import('./control-server.ts');
  const control = new ControlServer(logger, answer);
  await control.listen(dataDirectory);
  return control;
}
