import { useState } from 'preact/hooks';
import { ask } from '../api.ts';
import { Deed } from '../parts/deed.tsx';
import { LongList } from '../parts/long-list.tsx';
import { Search } from '../parts/search.tsx';
import { bytes, moment, noun } from '../words.ts';

interface Retained {
  topic: string;
  qos: number;
  payload: string | null;
  isCut: boolean;
  payloadBytes: number;
  expiresAt: string | null;
}

interface Removed {
  removed: number;
  topics: readonly string[];
  hasMore: boolean;
}

export function RetainedView() {
  const [filter, setFilter] = useState('#');
  const [round, setRound] = useState(0);
  return (
    <>
      <h1>Retained</h1>
      <Search
        key={filter}
        inputs={[{ name: 'filter', label: 'Topic filter', value: filter }]}
        then={(query) => setFilter(query.filter || '#')}
      />
      <Levels filter={filter} go={setFilter} />
      <Removal filter={filter} then={() => setRound(round + 1)} />
      <LongList<Retained>
        key={round}
        label="Retained messages"
        path="/retained"
        list="messages"
        query={{ filter }}
        empty="No retained message fits."
        columns={[
          { title: 'Topic', show: ({ topic }) => <TopicLink topic={topic} go={setFilter} /> },
          { title: 'Payload', show: ({ payload }) => payload ?? 'no text', isLong: true },
          { title: 'Bytes', show: ({ payloadBytes }) => bytes(payloadBytes), isWide: true },
          { title: 'QoS', show: ({ qos }) => qos, isWide: true },
          { title: 'Expires', show: ({ expiresAt }) => moment(expiresAt), isWide: true },
        ]}
      />
    </>
  );
}

/** Topic whose first level narrows the list, and so on down. */
function TopicLink({ topic, go }: { topic: string; go: (filter: string) => void }) {
  return (
    <button type="button" class="link" title={topic} onClick={() => go(topic)}>
      {topic}
    </button>
  );
}

/** Levels above a filter: each leads to all that is below it. */
function Levels({ filter, go }: { filter: string; go: (filter: string) => void }) {
  const levels = filter.split('/').filter((level) => level !== '#');
  return (
    <nav aria-label="Levels" class="levels">
      <button type="button" class="link" onClick={() => go('#')}>
        all topics
      </button>
      {levels.map((level, at) => (
        <button key={at} type="button" class="link" onClick={() => go(`${levels.slice(0, at + 1).join('/')}/#`)}>
          / {level}
        </button>
      ))}
    </nav>
  );
}

/** Removal by filter, which is counted before it is done. */
function Removal({ filter, then }: { filter: string; then: () => void }) {
  const [dry, setDry] = useState<(Removed & { filter: string }) | null>(null);
  const [fault, setFault] = useState('');
  const count = async (): Promise<void> => {
    try {
      const found = await ask<Removed>('/retained', { method: 'DELETE', query: { filter, dryRun: 'true' } });
      setDry({ ...found, filter });
      setFault('');
    } catch (error) {
      setFault((error as Error).message);
    }
  };
  const remove = async (): Promise<string> => {
    const { removed, hasMore } = await ask<Removed>('/retained', { method: 'DELETE', query: { filter } });
    setDry(null);
    then();
    return `${noun(removed, 'message')} removed${hasMore ? '; there are more' : ''}.`;
  };
  const isCounted = dry !== null && dry.filter === filter;
  return (
    <div class="buttons">
      <button type="button" onClick={() => void count()}>
        Count what a removal would remove
      </button>
      {isCounted ? (
        <>
          <span role="status">
            {noun(dry.removed, 'message')}
            {dry.hasMore ? ', and more' : ''}
            {dry.topics.length > 0 ? `: ${dry.topics.slice(0, 5).join(', ')}${dry.removed > 5 ? ' …' : ''}` : ''}
          </span>
          <Deed title="Remove" question={`Removes ${noun(dry.removed, 'message')} of ${filter}.`} act={remove} />
        </>
      ) : null}
      <span role="alert" class="fault">
        {fault}
      </span>
    </div>
  );
}
