export { Access, type AccessOptions, type AccessPaths, type AccessTexts, readAccessTexts } from './access.ts';
export type { CertificateName } from './client-certificate.ts';
export { type MethodName, methodNames } from './method.ts';
export { changePassword, type PasswordChange, userNameFault } from './password-file-edit.ts';
export type { RedisCalls } from './redis-calls.ts';
export { AccessFileError, type SourceText } from './source-text.ts';
export { type ListedToken, type NewToken, readUuid, secretLengthMin, TokenRecords } from './token-records.ts';
