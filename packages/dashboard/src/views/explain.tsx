import { useState } from 'preact/hooks';
import { ask, type Missing } from '../api.ts';
import { Notices } from '../parts/notices.tsx';
import { Search } from '../parts/search.tsx';

interface Explanation {
  verdict: 'yes' | 'later' | 'chance' | 'no' | 'unknown';
  summary: string;
  steps: readonly { check: string; outcome: string; text: string }[];
  node: string | null;
  incomplete: readonly Missing[];
}

/** `name`: client identifier that the question begins with. */
export function ExplainView({ name }: { name: string | null }) {
  const [answer, setAnswer] = useState<Explanation | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const explain = async ({ client, topic, publisher, qos }: Record<string, string>): Promise<void> => {
    try {
      const body = { client, topic, qos: Number(qos || 0), ...(publisher === '' ? {} : { publisher }) };
      setAnswer(await ask<Explanation>('/explain', { method: 'POST', body }));
      setFault(null);
    } catch (error) {
      setAnswer(null);
      setFault((error as Error).message);
    }
  };
  return (
    <>
      <h1>Explain</h1>
      <p>Would this client get a message on this topic now, and if not, why? Nothing is published.</p>
      <Search
        title="Explain"
        inputs={[
          { name: 'client', label: 'Client that should get it', value: name ?? '' },
          { name: 'topic', label: 'Topic', hint: 'rooms/kitchen/temperature' },
          { name: 'publisher', label: 'Client that publishes (may be empty)' },
          { name: 'qos', label: 'QoS: 0, 1 or 2', value: '0' },
        ]}
        then={(words) => void explain(words)}
      />
      <Notices fault={fault} incomplete={answer?.incomplete} />
      <div aria-live="polite">
        {answer === null ? null : (
          <>
            <p class={`state ${answer.verdict === 'yes' || answer.verdict === 'later' ? 'well' : 'ill'}`}>
              <strong>{answer.summary}</strong>
            </p>
            <ol class="steps">
              {answer.steps.map(({ check, outcome, text }) => (
                <li key={check + text} class={outcome}>
                  <strong>{outcome}</strong> {check}: {text}
                </li>
              ))}
            </ol>
          </>
        )}
      </div>
    </>
  );
}
