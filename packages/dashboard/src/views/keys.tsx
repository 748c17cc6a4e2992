import { useState } from 'preact/hooks';
import { ask, inPath } from '../api.ts';
import { Deed } from '../parts/deed.tsx';
import { Notices } from '../parts/notices.tsx';
import { PlainTable } from '../parts/plain-table.tsx';
import { usePolled } from '../polling.ts';
import { moment } from '../words.ts';

interface Key {
  name: string;
  scope: string;
  by: string;
  createdAt: string;
  usedAt: string | null;
}

export function KeysView() {
  const { answer, fault, reload } = usePolled<{ keys: readonly Key[] }>('/keys');
  const [made, setMade] = useState<{ name: string; key: string } | null>(null);
  const add = async (form: FormData): Promise<string> => {
    const body = { name: form.get('name'), scope: form.get('scope') };
    setMade(await ask('/keys', { method: 'POST', body }));
    reload();
    return 'The key is added.';
  };
  const revoke = async (name: string): Promise<string> => {
    await ask(`/keys/${inPath(name)}`, { method: 'DELETE' });
    reload();
    return 'The key is revoked.';
  };
  return (
    <>
      <h1>Keys</h1>
      <Notices fault={fault} />
      <Deed title="Add a key" question="Adds a key, which is shown once." act={add}>
        <label>
          Name
          <input name="name" required pattern="[A-Za-z0-9._\-]{1,64}" title="letters, digits, . _ -" />
        </label>
        <label>
          Scope
          <select name="scope">
            <option value="read">read: looks</option>
            <option value="write">write: also acts on clients, sessions and messages</option>
            <option value="admin">admin: also keys and configuration</option>
          </select>
        </label>
      </Deed>
      {made === null ? null : (
        <p role="status" class="state well">
          The key {made.name}, shown this once: <code>{made.key}</code>
        </p>
      )}
      <PlainTable
        label="Keys"
        rows={answer?.keys ?? []}
        empty={answer === null ? 'Loading …' : 'The store has no key.'}
        columns={[
          { title: 'Name', show: ({ name }) => name },
          { title: 'Scope', show: ({ scope }) => scope },
          { title: 'Last used', show: ({ usedAt }) => moment(usedAt), isWide: true },
          { title: 'Added', show: ({ createdAt, by }) => `${moment(createdAt)}, by ${by}`, isWide: true },
          {
            title: 'Revoke',
            show: ({ name }) => (
              <Deed title="Revoke" question={`No node takes the key ${name} any more.`} act={() => revoke(name)} />
            ),
          },
        ]}
      />
    </>
  );
}
