import { Command } from 'commander';
import { addNodeOptions, NodeDoor, type NodeValues, terminalColumns } from '../administration/node-door.ts';
import { table } from '../administration/table.ts';

interface Message {
  topic: string;
  qos: number;
  payload: string | null;
  payloadBytes: number;
  isCut: boolean;
}

interface Removal {
  removed: number;
  topics: string[];
  hasMore: boolean;
}

const pageMessages = '1000';

const list = addNodeOptions(
  new Command('list')
    .description('print the retained messages whose topics match a filter')
    .argument('[filter]', 'topic filter', '#'),
).action(async (filter: string, values: NodeValues) => {
  const door = new NodeDoor(values);
  const rows: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await door.get<{ messages: Message[]; next: string | null }>('retained', {
      filter,
      cursor,
      limit: pageMessages,
    });
    if (values.json === true)
      process.stdout.write(page.messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
    else
      for (const { topic, qos, payload, payloadBytes, isCut } of page.messages)
        rows.push([
          topic,
          String(qos),
          String(payloadBytes),
          payload === null ? '(binary)' : `${payload}${isCut ? '…' : ''}`,
        ]);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  if (values.json !== true) process.stdout.write(table(['TOPIC', 'QOS', 'BYTES', 'PAYLOAD'], rows, terminalColumns()));
});

const remove = addNodeOptions(
  new Command('delete')
    .description('remove the retained messages whose topics match a filter')
    .argument('<filter>', 'topic filter')
    .option('--dry-run', 'say how many there are, and remove none'),
).action(async (filter: string, values: NodeValues & { dryRun?: boolean }) => {
  const door = new NodeDoor(values);
  const isDry = values.dryRun === true;
  let removed = 0;
  let topics: string[] = [];
  for (let hasMore = true; hasMore; ) {
    const done = await door.delete<Removal>('retained', { filter, dryRun: String(isDry) });
    removed += done.removed;
    if (topics.length === 0) topics = done.topics;
    hasMore = done.hasMore && !isDry;
    if (isDry && done.hasMore) process.stderr.write('dunlin: there are more than that\n');
  }
  if (values.json === true) {
    process.stdout.write(`${JSON.stringify({ removed, dryRun: isDry, topics })}\n`);
    return;
  }
  process.stdout.write(`${removed} retained messages ${isDry ? 'would be removed' : 'removed'}\n`);
  if (isDry)
    process.stdout.write(
      table(
        ['TOPIC'],
        topics.map((topic) => [topic]),
        terminalColumns(),
      ),
    );
});

export const retainedCommand: Command = new Command('retained')
  .description('look at retained messages, and remove them')
  .addCommand(list)
  .addCommand(remove);
