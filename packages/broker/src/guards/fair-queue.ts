/**
 * Waiters for scarce work, served in turn and not first come first served:
 *
 * ```
 *   lane 2   account known here    ── 4 of 8 turns ──┐    within a lane: networks in turn,
 *   lane 1   network known         ── 2 of 8 turns ──┼──> within a network: accounts in turn,
 *   lane 0   strangers             ── 2 of 8 turns ──┘    within an account: first come first served
 * ```
 *
 * Turns of an empty lane go to the others. A lane that is full takes a newcomer in the place of the last waiter of the network that has most there.
 */

/** Lane of a waiter, by how much is known of it. */
export type Standing = 0 | 1 | 2;

export interface Waiter {
  readonly standing: Standing;
  readonly network: string;
  readonly account: string;
  /** Its turn has come (true), or others need its place (false). Called once, unless it was removed before. */
  served(isTurn: boolean): void;
}

/** Lanes by turn, over and over. */
const turns: readonly Standing[] = [2, 1, 2, 0, 2, 1, 2, 0];

interface NetworkWaiters {
  count: number;
  /** In the order of their turns: one that was served moves to the end. */
  readonly accounts: Map<string, Waiter[]>;
}

type Lane = Map<string, NetworkWaiters>;

export class FairQueue {
  readonly #lanes: readonly Lane[] = [new Map(), new Map(), new Map()];
  readonly #counts = [0, 0, 0];
  readonly #laneMax: number;
  #turn = 0;

  /** `laneMax`: waiters of one lane. */
  constructor(laneMax: number) {
    this.#laneMax = laneMax;
  }

  get size(): number {
    return this.#counts[0] + this.#counts[1] + this.#counts[2];
  }

  /** False: there is no place for it, since its own network has most of them. */
  add(waiter: Waiter): boolean {
    const { standing, network, account } = waiter;
    const lane = this.#lanes[standing];
    if (this.#counts[standing] >= this.#laneMax && !this.#makePlace(lane, network)) return false;
    let waiters = lane.get(network);
    if (waiters === undefined) {
      waiters = { count: 0, accounts: new Map() };
      lane.set(network, waiters);
    }
    const same = waiters.accounts.get(account);
    if (same === undefined) waiters.accounts.set(account, [waiter]);
    else same.push(waiter);
    waiters.count++;
    this.#counts[standing]++;
    return true;
  }

  /** Gives its turn to the next waiter. False: nobody waits. */
  serve(): boolean {
    if (this.size === 0) return false;
    while (this.#counts[turns[this.#turn]] === 0) this.#turn = (this.#turn + 1) % turns.length;
    const lane = this.#lanes[turns[this.#turn]];
    this.#turn = (this.#turn + 1) % turns.length;
    const [network, waiters] = firstOf(lane);
    const [account, same] = firstOf(waiters.accounts);
    const waiter = same[0];
    this.remove(waiter);
    if (same.length > 0) moveToEnd(waiters.accounts, account, same);
    if (waiters.count > 0) moveToEnd(lane, network, waiters);
    waiter.served(true);
    return true;
  }

  /** Takes out a waiter that needs its turn no more. */
  remove(waiter: Waiter): void {
    const { standing, network, account } = waiter;
    const lane = this.#lanes[standing];
    const waiters = lane.get(network);
    const same = waiters?.accounts.get(account);
    const at = same?.indexOf(waiter) ?? -1;
    if (waiters === undefined || same === undefined || at < 0) return;
    same.splice(at, 1);
    if (same.length === 0) waiters.accounts.delete(account);
    if (--waiters.count === 0) lane.delete(network);
    this.#counts[standing]--;
  }

  /** Sends away the last waiter of the network that has most. False: that is the newcomer's own. */
  #makePlace(lane: Lane, newcomer: string): boolean {
    let [most, mostOf] = firstOf(lane);
    for (const [network, waiters] of lane) if (waiters.count > mostOf.count) [most, mostOf] = [network, waiters];
    if (mostOf.count <= (lane.get(newcomer)?.count ?? 0) + 1) return false;
    const last = lastOf(lane.get(most) as NetworkWaiters);
    this.remove(last);
    last.served(false);
    return true;
  }
}

/** The last waiter of the account that has most; of several, of the one whose turn is furthest away. */
function lastOf({ accounts }: NetworkWaiters): Waiter {
  let longest: Waiter[] = [];
  for (const same of accounts.values()) if (same.length >= longest.length) longest = same;
  return longest[longest.length - 1];
}

function firstOf<Value>(map: Map<string, Value>): [string, Value] {
  return map.entries().next().value as [string, Value];
}

function moveToEnd<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
}
