/**
 * Address at which clients wait while the broker is down: open with its address while it runs, shut before it is
 * killed.
 */
export class BrokerAddress {
  #opened = Promise.withResolvers<string>();
  #isOpen = false;

  open(url: string): void {
    this.#isOpen = true;
    this.#opened.resolve(url);
  }

  shut(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#opened = Promise.withResolvers<string>();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The address of the broker, as soon as it runs. */
  url(): Promise<string> {
    return this.#opened.promise;
  }
}
