/**
 * Limit on what wildcards cost a match, charged to the owner of the subscription: a user, or a session without a user.
 *
 * A match follows the name and the `+` of every level that has both, so in the worst case the nodes that it visits
 * double with each level. They are of two kinds:
 *
 * - Nodes with at most one `+` on their path. A topic of L levels has at most L + 1 such paths, whoever subscribes to
 *   whatever: (L + 1)(L + 2) / 2 nodes, 66 with ten levels. Filters with at most one `+` make only such nodes, so they
 *   are never refused: nobody can use up a limit that they would meet.
 * - Nodes with two or more. Only filters with two or more `+` make them: wide filters. Those of one owner may have
 *   `branchesMax` branching levels on one path, so a match visits at most 2^6 paths of the levels of the topic for each
 *   owner. With all owners together it is at most 2^(L + 1) nodes, 2,047 with ten levels: a tenth of a millisecond,
 *   once for each topic in the match cache.
 *
 * An owner thus slows down matches of topics that it may subscribe to by at most 64 paths, which is less than its
 * subscriptions cost there as deliveries, and refuses nothing to any other owner. Each worker counts for itself. Deep
 * topics are left: whoever publishes to many that are costly waits for its next turn (`matchWorkMax` in
 * handlers/publish.ts), so that it slows down itself.
 */

/** Wide filters of real fleets have one or two such levels. */
export const branchesMax = 6;

class WideNode {
  readonly parent: WideNode | null;
  /** Level of this node in its parent. */
  readonly level: string;
  /** Nodes below by their levels, `+` among them. */
  children: Map<string, WideNode> | null = null;
  /** Subscriptions that end here. */
  ending = 0;
  /** Most branching levels on any path from here down, this one included. */
  branches = 0;
  /** Number of children by their number of branches; null while none has any. */
  branchCounts: number[] | null = null;

  constructor(parent: WideNode | null, level: string) {
    this.parent = parent;
    this.level = level;
  }

  get isBranching(): boolean {
    return this.children !== null && this.children.size > 1 && this.children.has('+');
  }

  /** True if a child for this level would make a level branch that does not branch now. */
  wouldBranch(level: string): boolean {
    if (this.children === null || this.isBranching || this.children.has(level)) return false;
    return level === '+' || this.children.has('+');
  }
}

/** True for a filter with two or more `+`. `filter`: without `$share/…`. */
export function isWide(filter: string): boolean {
  const first = filter.indexOf('+');
  return first >= 0 && filter.indexOf('+', first + 1) >= 0;
}

/** Levels that a match walks along: `#` ends a filter and branches nothing. */
function walkedLevels(filter: string): string[] {
  const levels = filter.split('/');
  if (levels[levels.length - 1] === '#') levels.pop();
  return levels;
}

/** The wide filters of each owner: a name, or a session as an object. */
export class WideFilters {
  private readonly roots = new Map<unknown, WideNode>();

  /** True if the owner may add the filter. */
  mayAdd(owner: unknown, filter: string): boolean {
    if (!isWide(filter)) return true;
    let node = this.roots.get(owner);
    let above = 0;
    for (const level of walkedLevels(filter)) {
      if (node === undefined) return true;
      // Below a new child nothing branches: the rest of the filter is one path.
      if (node.wouldBranch(level)) return above + 1 + node.branches <= branchesMax;
      if (node.isBranching) above++;
      node = node.children?.get(level);
    }
    return true;
  }

  add(owner: unknown, filter: string): void {
    if (!isWide(filter)) return;
    let node = this.roots.get(owner);
    if (node === undefined) {
      node = new WideNode(null, '');
      this.roots.set(owner, node);
    }
    for (const level of walkedLevels(filter)) node = childOf(node, level);
    node.ending++;
  }

  remove(owner: unknown, filter: string): void {
    if (!isWide(filter)) return;
    const root = this.roots.get(owner);
    let node = root;
    for (const level of walkedLevels(filter)) node = node?.children?.get(level);
    if (root === undefined || node === undefined) return;
    node.ending--;
    for (let at = node; at.parent !== null && at.ending === 0 && at.children === null; at = at.parent)
      removeChild(at.parent, at);
    if (root.children === null) this.roots.delete(owner);
  }

  /** Owners that have wide filters. */
  get ownerCount(): number {
    return this.roots.size;
  }
}

function childOf(node: WideNode, level: string): WideNode {
  node.children ??= new Map();
  let child = node.children.get(level);
  if (child !== undefined) return child;
  child = new WideNode(node, level);
  node.children.set(level, child);
  countBranches(node);
  return child;
}

function removeChild(parent: WideNode, child: WideNode): void {
  parent.children?.delete(child.level);
  if (parent.children?.size === 0) parent.children = null;
  if (child.branches > 0 && parent.branchCounts !== null) parent.branchCounts[child.branches]--;
  countBranches(parent);
}

/** Updates `branches` of a node whose children changed, and of its ancestors as far as they are affected. */
function countBranches(changed: WideNode): void {
  for (let node: WideNode | null = changed; node !== null; node = node.parent) {
    let below = 0;
    if (node.branchCounts !== null) {
      for (let count = node.branchCounts.length - 1; count > 0 && below === 0; count--) {
        if (node.branchCounts[count] > 0) below = count;
      }
    }
    const branches = below + (node.isBranching ? 1 : 0);
    if (branches === node.branches) return;
    if (node.parent !== null) {
      node.parent.branchCounts ??= [];
      const counts = node.parent.branchCounts;
      if (node.branches > 0) counts[node.branches]--;
      if (branches > 0) counts[branches] = (counts[branches] ?? 0) + 1;
    }
    node.branches = branches;
  }
}
