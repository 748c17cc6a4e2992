/** Names of shared groups: `$share/{name}/{filter}`. */

export function isGroup(filter: string): boolean {
  return filter.startsWith('$share/');
}

/** The filter whose log a subscription reads: `$share/{name}/{filter}`, a share name holds no `/` [MQTT-4.8.2-2]. */
export function logFilter(filter: string): string {
  return isGroup(filter) ? filter.slice(filter.indexOf('/', '$share/'.length) + 1) : filter;
}
