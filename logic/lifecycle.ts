interface Closer {
  readonly name: string;
  readonly close: () => Promise<void>;
}

/** Closes parts in the reverse of the order they were opened, and reports every failure at once. */
export class Lifecycle implements AsyncDisposable {
  readonly #closers: Closer[] = [];
  #closing: Promise<void> | undefined;

  /** Registers how to close what was just opened. */
  defer(name: string, close: () => Promise<void>): void {
    this.#closers.push({ name, close });
  }

  /** Idempotent: every caller waits for the same closing. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #closeAll(): Promise<void> {
    const failures: Error[] = [];
    for (const { name, close } of this.#closers.reverse()) {
      await close().catch((cause: unknown) => {
        failures.push(new Error(`Closing ${name} failed.`, { cause }));
      });
    }
    if (failures.length > 0) throw new AggregateError(failures, 'The shutdown was not clean.');
  }
}
