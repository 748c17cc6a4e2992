/** A broker started for a test, whichever it is. */
export interface BrokerProcess {
  readonly name: string;
  /** `mqtt://127.0.0.1:PORT` */
  readonly url: string;
  /** Address for WebSocket connections, if there is one: `ws://127.0.0.1:PORT/mqtt`. */
  readonly webSocketUrl?: string;
  readonly port: number;
  readonly pid: number;
  /** The exit code, or the signal that ended the process. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** A clean end (SIGTERM); resolves when the process is gone. */
  stop(): Promise<number | NodeJS.Signals>;
  /** A crash (SIGKILL); resolves when the process is gone. */
  kill(): Promise<number | NodeJS.Signals>;
  /** The last lines that it wrote. */
  output(): string;
}
