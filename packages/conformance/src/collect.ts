import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type CollectedConversation, collectConversations } from './conversation.ts';

/** Directory of the conversations. */
export const conversationsDirectory = join(import.meta.dirname, '..', 'conversations');

/** A conversation and the file it stands in. */
export interface LocatedConversation extends CollectedConversation {
  /** The name of the file in `conversations/`. */
  readonly file: string;
}

/** Numbers in names count as numbers: `3.2-…` stands before `3.10-…`. */
const naturally = new Intl.Collator('en', { numeric: true });

let located: Promise<LocatedConversation[]> | undefined;

/** Every conversation of the suite, by file and then in the order of the file, without holding any of them. */
export function locateConversations(): Promise<LocatedConversation[]> {
  // A module is evaluated at its first import only, so this can be done once.
  located ??= locate();
  return located;
}

async function locate(): Promise<LocatedConversation[]> {
  const files = (await readdir(conversationsDirectory)).filter((file) => file.endsWith('.test.ts'));
  files.sort(naturally.compare);
  const all: LocatedConversation[] = [];
  for (const file of files) {
    const collected = collectConversations();
    await import(join(conversationsDirectory, file));
    for (const conversation of collected) all.push({ ...conversation, file });
  }
  return all;
}
