/** The part of k6's own modules that the scenarios use. k6 brings the modules; nothing of them is installed. */

declare module 'k6/websockets' {
  /** Event of a socket. */
  export interface SocketEvent {
    /** Time in milliseconds since the epoch, with fractions. For a message: when it was read from the socket. */
    readonly timestamp: number;
  }
  export interface MessageEvent extends SocketEvent {
    readonly data: ArrayBuffer | string;
  }
  export interface ErrorEvent extends SocketEvent {
    readonly error: string;
  }
  export interface CloseEvent extends SocketEvent {
    readonly code?: number;
    readonly reason: string;
  }
  export class WebSocket {
    constructor(url: string, protocols?: string | string[]);
    binaryType: 'arraybuffer' | 'blob';
    /** 0 connecting, 1 open, 2 closing, 3 closed. */
    readonly readyState: number;
    readonly protocol: string;
    onopen: ((event: SocketEvent) => void) | null;
    onmessage: ((event: MessageEvent) => void) | null;
    onerror: ((event: ErrorEvent) => void) | null;
    onclose: ((event: CloseEvent) => void) | null;
    /** Takes the buffer over: it may not be written to any more. Throws unless the socket is open. */
    send(data: ArrayBuffer): void;
    close(code?: number, reason?: string): void;
  }
}

declare module 'k6/timers' {
  export function setTimeout(callback: () => void, milliseconds: number): number;
  export function clearTimeout(timer: number): void;
  export function setInterval(callback: () => void, milliseconds: number): number;
  export function clearInterval(timer: number): void;
}

declare module 'k6/metrics' {
  type Tags = Readonly<Record<string, string>>;
  export class Trend {
    constructor(name: string, isTime?: boolean);
    add(value: number, tags?: Tags): void;
  }
  export class Counter {
    constructor(name: string);
    add(value: number, tags?: Tags): void;
  }
}

declare module 'k6/execution' {
  interface Execution {
    readonly instance: {
      /** Milliseconds since the test began, with fractions. */
      readonly currentTestRunDuration: number;
    };
    readonly vu: { readonly idInTest: number };
  }
  const execution: Execution;
  export default execution;
}

/** k6's copy of the environment. */
declare const __ENV: Readonly<Record<string, string | undefined>>;
