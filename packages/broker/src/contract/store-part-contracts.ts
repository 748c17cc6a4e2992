/** Suites of the parts of a store: the sentences of ports/*-store.ts as tests. */
import { describe } from 'vitest';
import type { Store } from '../ports/store.ts';
import { adminKeyContract } from './store-contract-admin-keys.ts';
import { banContract } from './store-contract-bans.ts';
import { delayedContract } from './store-contract-delayed.ts';
import { delayedQuotaContract } from './store-contract-delayed-quota.ts';
import { endedFilterContract } from './store-contract-ended-filters.ts';
import { groupContract } from './store-contract-groups.ts';
import {
  type GroupsUnderTest,
  type LogsUnderTest,
  type StoreOpener,
  storeUnderTest,
  type WillsUnderTest,
} from './store-contract-kit.ts';
import { largeSessionContract } from './store-contract-large-sessions.ts';
import { logBytesContract } from './store-contract-log-bytes.ts';
import { logEndsContract } from './store-contract-log-ends.ts';
import { logContract } from './store-contract-logs.ts';
import { owedContract } from './store-contract-owed.ts';
import { ownerContract } from './store-contract-owners.ts';
import { repeatedAppendContract } from './store-contract-repeated-appends.ts';
import { retainedContract } from './store-contract-retained.ts';
import { retainedQuotaContract } from './store-contract-retained-quota.ts';
import { sessionQuotaContract } from './store-contract-session-quota.ts';
import { sessionContract } from './store-contract-sessions.ts';
import { willContract } from './store-contract-wills.ts';

/** Registers the suite of claims and sessions, which reach into every other part. */
export function sessionStoreContract(name: string, open: StoreOpener): void {
  describe(`session store contract: ${name}`, () => {
    const opened = storeUnderTest(open);
    sessionContract(opened);
    ownerContract(opened);
    owedContract(opened);
    largeSessionContract(opened);
    sessionQuotaContract(opened);
  });
}

export function logStoreContract(name: string, open: StoreOpener<LogsUnderTest>): void {
  describe(`log store contract: ${name}`, () => {
    const opened = storeUnderTest(open);
    logContract(opened);
    repeatedAppendContract(opened);
    logEndsContract(opened);
    logBytesContract(opened);
    endedFilterContract(opened);
  });
}

export function groupStoreContract(name: string, open: StoreOpener<GroupsUnderTest>): void {
  describe(`group store contract: ${name}`, () => groupContract(storeUnderTest(open)));
}

export function retainedStoreContract(name: string, open: StoreOpener<Pick<Store, 'retained'>>): void {
  describe(`retained store contract: ${name}`, () => {
    const opened = storeUnderTest(open);
    retainedContract(opened);
    retainedQuotaContract(opened);
  });
}

export function willStoreContract(name: string, open: StoreOpener<WillsUnderTest>): void {
  describe(`will store contract: ${name}`, () => willContract(storeUnderTest(open)));
}

export function banStoreContract(name: string, open: StoreOpener<Pick<Store, 'bans'>>): void {
  describe(`ban store contract: ${name}`, () => banContract(storeUnderTest(open)));
}

export function adminKeyStoreContract(name: string, open: StoreOpener<Pick<Store, 'adminKeys'>>): void {
  describe(`admin key store contract: ${name}`, () => adminKeyContract(storeUnderTest(open)));
}

export function delayedStoreContract(name: string, open: StoreOpener<Pick<Store, 'delayed'>>): void {
  describe(`delayed store contract: ${name}`, () => {
    const opened = storeUnderTest(open);
    delayedContract(opened);
    delayedQuotaContract(opened);
  });
}
