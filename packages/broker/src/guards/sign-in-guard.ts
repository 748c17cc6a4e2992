/**
 * Guessing of passwords and flapping: counted over all workers of a node in bounded memory.
 *
 * Failures of sign-in are counted for the device (client identifier, user name and network together), for the user name
 * in a network, for the network if so configured, and for the user name wherever it comes from. The narrowest of the
 * first three that fails too often is banned for a while. A user name alone is never banned, else anybody could lock out
 * its owner: while it is guessed at from many places, those that did not sign in lately wait some seconds before their
 * password is looked at.
 *
 * What has signed in lately is not banned, only slowed: in a fleet behind one address, with one user name for all, some
 * devices may have an old password. A ban made here ends no connection: that has shown who it is.
 */
import type { Ban } from '../ports/ban-store.ts';
import type { Limits } from '../ports/limits.ts';
import { canonicalRange } from './address-range.ts';
import type { BannableClient } from './ban-table.ts';
import { networkOf } from './network-of.ts';
import { newSharedMarks, SharedMarks } from './shared-marks.ts';
import { newSharedRates, SharedRates } from './shared-rates.ts';

/** Maker of the bans, in lists and in the log. */
export const madeByRule = 'dunlin';

/** Longest wait of an answer. It is far below `limits.connectTimeoutSeconds`, and a person bears it. */
const waitMaxMilliseconds = 5000;
/** Failures of a user name in a network, in a row and then each second, that are answered at once. */
const promptFailures = 5;
/** A user name in a network may fail this many times as often as a device, and a user name everywhere. */
const failuresOfUser = 5;
/** Time for which a success is remembered: devices that sign in once a day are known. */
const rightMilliseconds = 25 * 3600 * 1000;

/** Memory that the workers of a node share: what is counted here, and what the methods of authentication know of those who signed in, or tried to. */
export interface SignInMemory {
  readonly marks: SharedArrayBuffer;
  readonly failures: SharedArrayBuffer;
}

/** Names that a failure or a success counts for, from the narrowest to the widest; none holds another. */
type Counted = readonly [kind: 'device' | 'account' | 'network', ...names: string[]];

export interface Failure {
  /** Milliseconds until the refusal is answered. */
  wait: number;
  /** Ban that follows; null: none. */
  ban: Ban | null;
}

export class SignInGuard {
  private readonly limits: Limits;
  private readonly failures: SharedRates;
  private readonly marks: SharedMarks;

  /** Without memory, this worker is alone. */
  constructor(limits: Limits, { marks, failures }: SignInMemory = newSignInMemory()) {
    this.limits = limits;
    this.marks = new SharedMarks(marks);
    this.failures = new SharedRates(failures);
  }

  /** Milliseconds until the password of this client is looked at: more than 0 where its user name is guessed at. */
  waitBefore(client: BannableClient, now: number): number {
    const { userName } = client;
    if (this.limits.signInFailuresMax === 0 || userName === null) return 0;
    const most = this.limits.signInFailuresMax * failuresOfUser;
    if (this.failures.has(`guessed ${userName}`, this.perSecond(most), most, now)) return 0;
    return this.wasRight(accountOf(client), now) ? 0 : waitMaxMilliseconds;
  }

  /** A password, token or certificate was wrong. */
  failed(client: BannableClient, now: number): Failure {
    const { signInFailuresMax, signInFailuresPerAddressMax } = this.limits;
    const { clientId, userName } = client;
    const isAddressOver =
      signInFailuresPerAddressMax > 0 && this.isOver(networkCount(client), signInFailuresPerAddressMax, now);
    const addressBan = isAddressOver ? this.banOf(client, { clientId: null, userName: null }, now) : null;
    if (signInFailuresMax === 0 || userName === null) return { wait: 0, ban: addressBan };
    const most = signInFailuresMax * failuresOfUser;
    this.failures.spend(`guessed ${userName}`, 1, this.perSecond(most), most, now);
    const account = accountOf(client);
    const late = this.failures.spend(`prompt ${account.join('\0')}`, 1, 1, promptFailures, now);
    const isAccountOver = this.isOver(account, most, now);
    const isDeviceOver = this.isOver(deviceOf(client), signInFailuresMax, now);
    const names = isDeviceOver ? { clientId, userName } : { clientId: null, userName };
    const ban = isDeviceOver || isAccountOver ? this.banOf(client, names, now) : null;
    return { wait: Math.min(late, waitMaxMilliseconds), ban: addressBan ?? ban };
  }

  /** A client has signed in, under this name. Returns the ban of one that comes and goes too often; null: none. */
  succeeded(client: BannableClient, now: number): Ban | null {
    const { flappingConnectsMax, flappingWindowSeconds, flappingBanSeconds } = this.limits;
    if (client.userName !== null) {
      for (const counted of [deviceOf(client), accountOf(client), networkCount(client)])
        this.marks.set(this.marks.markOf(...counted), now + rightMilliseconds);
    }
    if (flappingConnectsMax === 0) return null;
    const key = `connects ${client.clientId}\0${networkOf(client.remoteAddress)}`;
    if (this.failures.take(key, flappingConnectsMax / flappingWindowSeconds, flappingConnectsMax, now)) return null;
    const reason = `more than ${flappingConnectsMax} connects in ${flappingWindowSeconds} s`;
    return ruleBan(client, { clientId: client.clientId, userName: null }, reason, flappingBanSeconds, now);
  }

  /** True: somebody with a user name has signed in lately from this network. */
  knows(network: string, now: number): boolean {
    return this.marks.has(this.marks.ofNetwork(network), now);
  }

  /** Counts a failure; true: there were too many, and no success lately. */
  private isOver(counted: Counted, most: number, now: number): boolean {
    const late = this.failures.spend(`failed ${counted.join('\0')}`, 1, this.perSecond(most), most, now);
    return late > 0 && !this.wasRight(counted, now);
  }

  private wasRight(counted: Counted, now: number): boolean {
    return this.marks.has(this.marks.markOf(...counted), now);
  }

  private perSecond(most: number): number {
    return most / this.limits.signInFailuresWindowSeconds;
  }

  private banOf(client: BannableClient, names: BannedNames, now: number): Ban | null {
    return ruleBan(client, names, 'too many failed sign-ins', this.limits.signInBanSeconds, now);
  }
}

export function newSignInMemory(): SignInMemory {
  return { marks: newSharedMarks(), failures: newSharedRates() };
}

type BannedNames = Pick<Ban, 'clientId' | 'userName'>;

/** Null: the address is not known, as on a Unix socket, and a ban without it would hit others. */
function ruleBan(
  { remoteAddress }: BannableClient,
  names: BannedNames,
  reason: string,
  seconds: number,
  now: number,
): Ban | null {
  const address = canonicalRange(networkOf(remoteAddress));
  if (address === null) return null;
  return { ...names, address, reason, by: madeByRule, createdAt: now, endsAt: now + seconds * 1000 };
}

function deviceOf({ clientId, userName, remoteAddress }: BannableClient): Counted {
  return ['device', networkOf(remoteAddress), userName ?? '', clientId];
}

function accountOf({ userName, remoteAddress }: BannableClient): Counted {
  return ['account', networkOf(remoteAddress), userName ?? ''];
}

function networkCount({ remoteAddress }: BannableClient): Counted {
  return ['network', networkOf(remoteAddress)];
}
