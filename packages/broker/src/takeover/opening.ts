import type { HandedSession } from '../session/takeover.ts';

/** A CONNECT on its way from the claim to a session in force. */
export class Opening {
  /** Of its claim; 0 while that is not known. */
  epoch = 0;
  /** What the owner before handed to it. */
  handed: HandedSession | null = null;
  /** Resolves when the claim is known; never rejects. */
  readonly claimed: Promise<void>;
  claimKnown: () => void = () => {};
  /** Resolves when it has succeeded or failed; never rejects. */
  done: Promise<void> = Promise.resolve();
  isDone = false;

  constructor() {
    this.claimed = new Promise((resolve) => {
      this.claimKnown = resolve;
    });
  }
}
