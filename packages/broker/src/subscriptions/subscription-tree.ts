/**
 * Tree of filters, for those that match a topic: a trie by topic level, with a FilterEntry at the end of each filter.
 *
 * ```
 *   filters a/b, a/+, a/#, +/b             node ── children: Map level -> node
 *                                               ├─ plus: node below `+`
 *        root                                   ├─ exact: entry of the filter that ends here
 *        ├─ 'a' ── 'b' (exact)                  └─ multi: entry of the filter that goes on with `#`
 *        │   ├─ plus (exact)
 *        │   └─ multi
 *        └─ plus ── 'b' (exact)
 * ```
 *
 * A match visits only nodes whose path matches the topic's beginning, each at most once: it does not grow with the
 * subscriptions that differ in an earlier level. guards/wide-filters.ts bounds the number of those nodes. An entry's lists are dense arrays shared with the matches that were
 * made from them, so that one filter with 100,000 subscribers costs a match one reference.
 */
import type { DurableLog } from '../session/durable-log.ts';
import type { Subscription } from '../session/subscription.ts';
import type { SharedGroup, SharedGroupWatcher } from './shared-subscriptions.ts';

/** Receivers of one filter. */
export class FilterEntry {
  readonly filter: string;
  /** Local sessions that get every message at once. Dense; in no order. */
  readonly subscriptions: Subscription[] = [];
  /** Local durable sessions, which get messages of QoS above 0 through the log. */
  readonly logged: Subscription[] = [];
  /** Shared groups by their whole names. */
  groups: Map<string, SharedGroup> | null = null;
  /** The same as a list, made when a match first needs it, and shared by all of them; null: to be made. */
  groupList: readonly SharedGroup[] | null = null;
  /** Endpoints with subscribers that get messages from frames; no duplicates. */
  endpoints: string[] | null = null;
  /**
   * Endpoints with durable subscribers alone, which have the log for what frames lose; no duplicates, and none of those
   * above.
   */
  loggedEndpoints: string[] | null = null;
  /** Set while the filter is durable. */
  log: DurableLog | null = null;
  /** True once a match merged this list with another: then a change of the list makes matches stale. */
  isMerged = false;

  constructor(filter: string) {
    this.filter = filter;
  }

  isEmpty(): boolean {
    return (
      this.subscriptions.length === 0 &&
      this.logged.length === 0 &&
      this.groups === null &&
      this.endpoints === null &&
      this.loggedEndpoints === null &&
      this.log === null
    );
  }
}

class Node {
  readonly parent: Node | null;
  /** Level of this node in its parent; `+` for the plus node. */
  readonly level: string;
  /** The only child, while there is no other: most nodes have one, and a map takes more memory than all the rest. */
  only: Node | null = null;
  /** Children by their levels, where there are several. */
  children: Map<string, Node> | null = null;
  plus: Node | null = null;
  exact: FilterEntry | null = null;
  multi: FilterEntry | null = null;
  constructor(parent: Node | null, level: string) {
    this.parent = parent;
    this.level = level;
  }

  isEmpty(): boolean {
    const { only, children, plus, exact, multi } = this;
    return only === null && children === null && plus === null && exact === null && multi === null;
  }

  /** The child for a level other than `+`. */
  child(level: string): Node | null {
    const { only } = this;
    if (only !== null) return only.level === level ? only : null;
    return this.children?.get(level) ?? null;
  }

  addChild(child: Node): void {
    if (this.only === null && this.children === null) {
      this.only = child;
      return;
    }
    if (this.children === null) {
      this.children = new Map();
      if (this.only !== null) this.children.set(this.only.level, this.only);
      this.only = null;
    }
    this.children.set(child.level, child);
  }

  removeChild(child: Node): void {
    if (this.only === child) this.only = null;
    this.children?.delete(child.level);
    if (this.children?.size === 0) this.children = null;
  }
}

export class SubscriptionTree {
  /** Observer of groups with a log; null: there is none. */
  readonly groupWatcher: SharedGroupWatcher | null;
  private readonly root = new Node(null, '');
  /** Grows whenever a cached match may be outdated. */
  version = 1;
  /** Filters that have an entry. */
  filterCount = 0;
  /** Nodes that all matches have visited. */
  nodesVisited = 0;

  constructor(groupWatcher: SharedGroupWatcher | null = null) {
    this.groupWatcher = groupWatcher;
  }

  /** Entry of a filter (without `$share/…`), created if there is none. */
  entry(filter: string): FilterEntry {
    const levels = filter.split('/');
    const multi = levels[levels.length - 1] === '#';
    let node = this.root;
    for (let i = 0, n = multi ? levels.length - 1 : levels.length; i < n; i++) node = childOf(node, levels[i]);
    let entry = multi ? node.multi : node.exact;
    if (entry === null) {
      entry = new FilterEntry(filter);
      if (multi) node.multi = entry;
      else node.exact = entry;
      this.filterCount++;
      this.version++;
    }
    return entry;
  }

  get isEmpty(): boolean {
    return this.root.isEmpty();
  }

  find(filter: string): FilterEntry | null {
    const [node, multi] = this.walkTo(filter);
    return node === null ? null : multi ? node.multi : node.exact;
  }

  /** Removes an empty entry, with the nodes that lead to it alone; called after anything was removed from an entry. */
  prune(entry: FilterEntry): void {
    if (!entry.isEmpty()) return;
    const [node, multi] = this.walkTo(entry.filter);
    if (node === null) return;
    if (multi) node.multi = null;
    else node.exact = null;
    this.filterCount--;
    this.version++;
    for (let at = node; at.parent !== null && at.isEmpty(); at = at.parent) removeChild(at.parent, at);
  }

  private walkTo(filter: string): [Node | null, boolean] {
    const levels = filter.split('/');
    const multi = levels[levels.length - 1] === '#';
    let node: Node | null = this.root;
    for (let i = 0, n = multi ? levels.length - 1 : levels.length; i < n && node !== null; i++) {
      node = levels[i] === '+' ? node.plus : node.child(levels[i]);
    }
    return [node, multi];
  }

  /** Something in an entry other than its plain list of subscriptions changed. */
  touch(): void {
    this.version++;
  }

  addSubscription(entry: FilterEntry, subscription: Subscription): void {
    const list = subscription.cursor === null ? entry.subscriptions : entry.logged;
    subscription.index = list.length;
    list.push(subscription);
    // A list that was empty is not in any match yet.
    if (entry.isMerged || subscription.index === 0) this.version++;
  }

  removeSubscription(entry: FilterEntry, subscription: Subscription): void {
    const list = subscription.cursor === null ? entry.subscriptions : entry.logged;
    const last = list.pop();
    if (last !== undefined && last !== subscription) {
      list[subscription.index] = last;
      last.index = subscription.index;
    }
    subscription.index = -1;
    if (entry.isMerged) this.version++;
    this.prune(entry);
  }

  /** Every entry whose filter matches the topic name. */
  match(topic: string): FilterEntry[] {
    const levels = topic.split('/');
    const found: FilterEntry[] = [];
    // Leading wildcards do not match topics that begin with $ [MQTT-4.7.2-1].
    this.nodesVisited += collect(this.root, levels, 0, found, topic.charCodeAt(0) === 0x24);
    return found;
  }
}

function childOf(node: Node, level: string): Node {
  let child = level === '+' ? node.plus : node.child(level);
  if (child !== null) return child;
  child = new Node(node, level);
  if (level === '+') node.plus = child;
  else node.addChild(child);
  return child;
}

function removeChild(parent: Node, child: Node): void {
  if (child === parent.plus) parent.plus = null;
  else parent.removeChild(child);
}

/** Returns the number of visited nodes. Depth is bounded by the levels of the topic, at most 128. */
function collect(node: Node, levels: string[], at: number, found: FilterEntry[], hideWildcards: boolean): number {
  if (node.multi !== null && !hideWildcards) found.push(node.multi); // `#` matches the parent level too [MQTT-4.7.1-2]
  if (at === levels.length) {
    if (node.exact !== null) found.push(node.exact);
    return 1;
  }
  let visited = 1;
  const child = node.child(levels[at]);
  if (child !== null) visited += collect(child, levels, at + 1, found, false);
  if (node.plus !== null && !hideWildcards) visited += collect(node.plus, levels, at + 1, found, false);
  return visited;
}
