import { ask, inPath } from '../api.ts';
import { Deed } from '../parts/deed.tsx';
import { noun } from '../words.ts';

/** Cordon, drain and their end, for one node. */
export function NodeDeeds({ node, then }: { node: string; then: () => void }) {
  const path = `/nodes/${inPath(node)}`;
  const cordon = async (): Promise<string> => {
    await ask(`${path}/cordon`, { method: 'POST' });
    then();
    return 'It takes no new connections.';
  };
  const takeBack = async (): Promise<string> => {
    await ask(`${path}/cordon`, { method: 'DELETE' });
    then();
    return 'It takes connections again.';
  };
  const drain = async (form: FormData): Promise<string> => {
    const body = { ratePerSecond: Number(form.get('rate')) };
    const { leaving, seconds } = await ask<{ leaving: number; seconds: number }>(`${path}/drain`, {
      method: 'POST',
      body,
    });
    then();
    return `${noun(leaving, 'client')} leave within ${Math.ceil(seconds)} s.`;
  };
  return (
    <div class="deeds">
      <Deed title="Cordon" question={`${node} takes no new connections; those that it has stay.`} act={cordon} />
      <Deed title="Drain" question={`${node} is cordoned, and sends its clients away evenly.`} act={drain}>
        <label>
          Clients a second
          <input name="rate" type="number" min="1" defaultValue="100" required />
        </label>
      </Deed>
      <Deed title="Take back" question={`${node} takes connections again; a drain ends.`} act={takeBack} />
    </div>
  );
}
