import { type SessionKey, StoreError } from '@dunlin/broker/ports';

/** Answer of a script about one session. */
export type Answer = (Buffer | number | null | Buffer[])[];

/** Checks the status, the first element of the answer. */
export function checkedAnswer(key: SessionKey, answer: Answer): Answer {
  const word = String(answer[0]);
  if (word === 'unknown') throw new StoreError('unknown-session', 'no session is stored for this client identifier');
  if (word === 'fenced')
    throw new StoreError('fenced', `epoch ${key.epoch} is not the claim's, which is ${answer[1] ?? 'another'}`);
  return answer;
}
