import { readFileSync } from 'node:fs';

/**
 * The URL with the password of a file in it: in the place of one that stands there, after the user if there is one. Of several servers in a URL the first
 * gets it, which stands for all. The line break at the end of the file is not part of the password.
 */
export function withPassword(url: string, passwordFile: string, soleCredential: 'password' | 'token'): string {
  if (passwordFile === '') return url;
  const password = encodeURIComponent(readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, ''));
  return url.replace(/^([a-z+]+:\/\/)(?:([^@/,:]*)(?::[^@/]*)?@)?/, (_, scheme: string, user = '') => {
    if (user === '' && soleCredential === 'token') return `${scheme}${password}@`;
    return `${scheme}${user}:${password}@`;
  });
}
