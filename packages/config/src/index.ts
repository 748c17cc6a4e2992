export type { AuthenticationMethod } from './access-keys.ts';
export {
  CertificateFileError,
  type CertificateFiles,
  type CertificateTexts,
  readAuthorities,
  readCertificate,
  readCrl,
} from './certificate-files.ts';
export type { Configuration } from './configuration.ts';
export {
  configurationJsonSchema,
  configurationReference,
  configurationTemplate,
  printConfiguration,
  shownConfiguration,
} from './describe.ts';
export { drainEndSeconds } from './drain-keys.ts';
export { type Flag, parseAssignment } from './flag-layer.ts';
export { configFileVariable, type Key, keys, keysByPath } from './keys.ts';
export {
  formatListenerUrl,
  isLoopback,
  type Listener,
  type ListenerAddress,
  type ListenerTls,
  parseListenerUrl,
} from './listener.ts';
export { type ConfigurationSources, type LoadedConfiguration, loadConfiguration } from './load.ts';
export { ConfigurationError, formatProblem, type Problem } from './problem.ts';
export { withoutSecrets } from './secret.ts';
