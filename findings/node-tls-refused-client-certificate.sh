#!/usr/bin/env bash
# Node 26.9.0: a TLS server that refuses a client's certificate sees a reset connection without an address; the client sees no error.
#
# Expected: with `requestCert` and `rejectUnauthorized`, a certificate of another authority is refused in the same way as a missing one: 'tlsClientError' has a TLS error code and the client's
#           address, and the client receives an alert.
# Seen:     'tlsClientError' has ECONNRESET, "socket hang up", as if the client had closed the connection, and the remoteAddress of the socket is already undefined. Only its authorizationError
#           has the reason. With TLS 1.3 the client's socket emits 'secureConnect' and then closes without an error. A server that logs refusals must read authorizationError,
#           and must remember the address of each connection from its beginning.
# Output:   none: ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE, authorizationError null, address 127.0.0.1; client: secureConnect, ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED, close
#           of another authority: ECONNRESET, authorizationError DEPTH_ZERO_SELF_SIGNED_CERT, address undefined; client: secureConnect, close
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund node@26.9.0
for name in ours other; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.pem -subj "/CN=$name" -days 1 2>/dev/null
done
cat >program.cjs <<'JS'
const tls = require('node:tls');
const { readFileSync } = require('node:fs');
const pair = (name) => ({ cert: readFileSync(`${name}.pem`), key: readFileSync(`${name}.key`) });
const server = tls.createServer({ ...pair('ours'), ca: readFileSync('ours.pem'), requestCert: true, rejectUnauthorized: true });
let heard = '';
server.on('tlsClientError', ({ code }, socket) => {
  heard = `${code}, authorizationError ${socket.authorizationError}, address ${socket.remoteAddress}`;
});
function meet(name, options) {
  const { port } = server.address();
  return new Promise((resolve) => {
    const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: 'TLSv1.3', ...options });
    const said = [];
    client.on('secureConnect', () => said.push('secureConnect'));
    client.on('error', ({ code }) => said.push(code));
    client.on('close', () => {
      said.push('close');
      setTimeout(() => resolve(`${name}: ${heard}; client: ${said.join(', ')}`), 200);
    });
  });
}
server.listen(0, '127.0.0.1', async () => {
  console.log(await meet('none', {}));
  console.log(await meet('of another authority', pair('other')));
  server.close();
});
JS
node_modules/.bin/node program.cjs | tee output
grep -q '^none: ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE, authorizationError null, address 127.0.0.1' output
grep -qx 'of another authority: ECONNRESET, authorizationError DEPTH_ZERO_SELF_SIGNED_CERT, address undefined; client: secureConnect, close' output
