const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

/** True for a host that is this machine, with or without a port. */
export function isLoopbackHost(host: string): boolean {
  return loopback.test(host);
}
