import type { MqttClient } from 'mqtt';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Notices } from '../parts/notices.tsx';
import { usePolled } from '../polling.ts';
import { count, noun } from '../words.ts';
import type { ListenersAnswer } from './listeners.tsx';
import { difference, type TopicNode, TopicTree, topicsMax } from './topic-tree.ts';

/** Time between two drawings: messages may come much faster. */
const drawMilliseconds = 250;
/** Rows that are drawn at most of an open tree. */
const rowsMax = 500;

/** Address of a listener for WebSockets as this page reaches it; empty: the node has none. */
function addressOf(answer: ListenersAnswer | null): string {
  const urls = answer?.listeners.map(({ url }) => url).filter((url) => /^wss?:/.test(url)) ?? [];
  if (urls.length === 0) return '';
  const url = new URL(urls.find((one) => one.startsWith(location.protocol === 'https:' ? 'wss:' : 'ws:')) ?? urls[0]);
  return `${url.protocol}//${location.hostname}:${url.port}${url.pathname === '/' ? '/mqtt' : url.pathname}`;
}

interface Door {
  url: string;
  filter: string;
  username: string;
  password: string;
}

/** Connection to a listener that fills a tree, and rests while the page is out of sight. */
function useMessages(door: Door | null) {
  const tree = useRef(new TopicTree());
  const client = useRef<MqttClient | null>(null);
  const [state, setState] = useState('');
  const [, draw] = useState(0);
  useEffect(() => {
    if (door === null) return;
    tree.current = new TopicTree();
    let isOver = false;
    const follow = () => {
      if (document.hidden) client.current?.unsubscribe(door.filter);
      else client.current?.subscribe(door.filter);
      setState(document.hidden ? 'paused' : 'connected');
    };
    const begin = async (): Promise<void> => {
      setState('connecting …');
      const { connect } = (await import('mqtt')).default;
      if (isOver) return;
      const { url, username, password } = door;
      const who = username === '' ? {} : { username, password };
      const made = connect(url, { ...who, protocolVersion: 5, timerVariant: 'native', reconnectPeriod: 3000 });
      client.current = made;
      made.on('connect', follow);
      made.on('error', (error) => setState(error.message));
      made.on('close', () => setState('not connected; trying again'));
      made.on('message', (topic, payload) => tree.current.add(topic, payload.toString()));
    };
    void begin().catch((error: Error) => setState(error.message));
    document.addEventListener('visibilitychange', follow);
    const timer = setInterval(() => document.hidden || draw((before) => before + 1), drawMilliseconds);
    return () => {
      isOver = true;
      clearInterval(timer);
      document.removeEventListener('visibilitychange', follow);
      client.current?.end(true);
      client.current = null;
    };
  }, [door]);
  return { tree: tree.current, state, client };
}

export function TopicsView() {
  const { answer, fault } = usePolled<ListenersAnswer>('/listeners');
  const [door, setDoor] = useState<Door | null>(null);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const { tree, state, client } = useMessages(door);
  const toggle = (topic: string) => {
    const next = new Set(open);
    if (!next.delete(topic)) next.add(topic);
    setOpen(next);
  };
  const rows = rowsOf(tree.root, open);
  return (
    <>
      <h1>Topics</h1>
      <Notices fault={fault} />
      {answer === null ? null : <Connect address={addressOf(answer)} then={setDoor} />}
      <p role="status" class="small">
        {door === null ? 'Messages come as a client of MQTT gets them, under its rules.' : `MQTT: ${state}`}
      </p>
      {door === null ? null : <Publish client={client} />}
      <p class="small">
        {noun(tree.topics, 'level')}
        {tree.beyond > 0 ? `; ${noun(tree.beyond, 'message')} beyond the first ${count(topicsMax)} not kept` : ''}
        {rows.length >= rowsMax ? `; the first ${rowsMax} rows are shown` : ''}
      </p>
      <ul class="tree">
        {rows.map(({ node, depth }) => (
          <TopicRow key={node.topic} node={node} depth={depth} isOpen={open.has(node.topic)} toggle={toggle} />
        ))}
      </ul>
    </>
  );
}

interface TreeRow {
  node: TopicNode;
  depth: number;
}

/** Rows of the levels that are open, in the order of their names. */
function rowsOf(root: TopicNode, open: ReadonlySet<string>): TreeRow[] {
  const rows: TreeRow[] = [];
  const visit = (node: TopicNode, depth: number): void => {
    const below = [...node.below.values()].sort((one, other) => (one.level < other.level ? -1 : 1));
    for (const next of below) {
      if (rows.length >= rowsMax) return;
      rows.push({ node: next, depth });
      if (open.has(next.topic)) visit(next, depth + 1);
    }
  };
  visit(root, 0);
  return rows;
}

function TopicRow({ node, depth, isOpen, toggle }: TreeRow & { isOpen: boolean; toggle: (topic: string) => void }) {
  const name = node.level === '' ? '(empty)' : node.level;
  return (
    <li style={{ paddingInlineStart: `${Math.min(depth, 8) * 1.1}rem` }}>
      {node.below.size === 0 ? (
        <span class="leaf">{name}</span>
      ) : (
        <button type="button" class="link" aria-expanded={isOpen} onClick={() => toggle(node.topic)}>
          {isOpen ? '▾' : '▸'} {name}
        </button>
      )}
      <span class="small"> {count(node.messages)}</span>
      {node.value === null ? null : <code class="value">{node.value}</code>}
      {node.before === null || node.value === null ? null : (
        <span class="small changed">{difference(node.before, node.value)}</span>
      )}
    </li>
  );
}

function Connect({ address, then }: { address: string; then: (door: Door) => void }) {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => `${form.get(name) ?? ''}`;
    then({ url: text('url'), filter: text('filter'), username: text('username'), password: text('password') });
  };
  return (
    <form class="inputs" onSubmit={submit}>
      <label>
        WebSocket address
        <input name="url" required defaultValue={address} placeholder="ws://host:8083/mqtt" />
      </label>
      <label>
        Topic filter
        <input name="filter" required defaultValue="#" />
      </label>
      <label>
        MQTT user
        <input name="username" autocomplete="off" />
      </label>
      <label>
        MQTT password
        <input name="password" type="password" autocomplete="off" />
      </label>
      <button type="submit">Subscribe</button>
    </form>
  );
}

function Publish({ client }: { client: { current: MqttClient | null } }) {
  const [outcome, setOutcome] = useState('');
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const options = { qos: 1, retain: form.get('retain') !== null } as const;
    client.current
      ?.publishAsync(`${form.get('topic')}`, `${form.get('payload')}`, options)
      .then(() => setOutcome('Acknowledged.'))
      .catch((error: Error) => setOutcome(error.message));
  };
  return (
    <form class="inputs" onSubmit={submit} aria-label="Publish">
      <label>
        Topic
        <input name="topic" required />
      </label>
      <label>
        Payload
        <input name="payload" />
      </label>
      <label class="check">
        <input type="checkbox" name="retain" /> retain
      </label>
      <button type="submit">Publish with QoS 1</button>
      <span role="status" class="small">
        {outcome}
      </span>
    </form>
  );
}
