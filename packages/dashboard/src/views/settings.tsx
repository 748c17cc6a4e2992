import { useState } from 'preact/hooks';
import { ask } from '../api.ts';
import { Deed } from '../parts/deed.tsx';
import { Notices } from '../parts/notices.tsx';
import { PlainTable } from '../parts/plain-table.tsx';
import { usePolled } from '../polling.ts';

interface Setting {
  key: string;
  value: unknown;
  origin: string;
  reloads: boolean;
}

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

export function SettingsView() {
  const { answer, fault, reload } = usePolled<{ node: string; keys: readonly Setting[] }>('/config');
  const [word, setWord] = useState('');
  const [isAll, setAll] = useState(false);
  const rows = (answer?.keys ?? []).filter(
    ({ key, origin }) => (isAll || origin !== 'default') && key.toLowerCase().includes(word.toLowerCase()),
  );
  const readAgain = async (): Promise<string> => {
    const { needStart } = await ask<{ needStart: string[] }>('/config/reload', { method: 'POST' });
    reload();
    return needStart.length === 0 ? 'It was read again.' : `From the next start on: ${needStart.join(', ')}.`;
  };
  return (
    <>
      <h1>Settings</h1>
      <Notices fault={fault} />
      <p class="small">
        {answer === null ? 'Loading …' : `Configuration in force at the node ${answer.node}, which serves this page.`}
      </p>
      <div class="inputs">
        <label>
          Key contains
          <input value={word} onInput={(event) => setWord(event.currentTarget.value)} />
        </label>
        <label class="check">
          <input type="checkbox" checked={isAll} onChange={(event) => setAll(event.currentTarget.checked)} /> also
          defaults
        </label>
        <Deed
          title="Read again"
          question="Reads the configuration of this node again, with certificates, users and rules."
          act={readAgain}
        />
      </div>
      <PlainTable
        label="Configuration"
        rows={rows}
        empty={answer === null ? '' : 'No key fits.'}
        columns={[
          { title: 'Key', show: ({ key }) => <code>{key}</code> },
          { title: 'Value', show: ({ value }) => <code>{shown(value)}</code> },
          { title: 'Set in', show: ({ origin }) => origin, isWide: true },
          { title: 'Reloads', show: ({ reloads }) => (reloads ? 'yes' : 'at a start'), isWide: true },
        ]}
      />
    </>
  );
}
