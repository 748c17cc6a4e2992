#!/usr/bin/env bash
# npm 11.19.1: `npm sbom --omit dev` leaves out a package that production needs if it is also named in devDependencies.
#
# Expected: the bill of materials names the package, since `npm ci --omit dev` installs it and `npm ls --omit dev` shows it.
# Seen:     with debug 4.4.3 in dependencies (which needs ms) and ms 2.1.3 in devDependencies, ms is installed and listed, but missing in the bill of materials, in CycloneDX and SPDX.
#           The documentation says that the omitted types are left out; `npm query` selects such a package as `.dev` if any edge to it is a development dependency.
# Exit:     0 while the behaviour is as described, 1 if the bill of materials names the package, 2 if it could not be tried.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
mkdir "$dir/tool" "$dir/project"
npm install --silent --prefix "$dir/tool" npm@11.19.1 >/dev/null || exit 2
npm=("$(command -v node)" "$dir/tool/node_modules/npm/bin/npm-cli.js")
cd "$dir/project"
echo '{ "name": "a", "version": "1.0.0", "dependencies": { "debug": "4.4.3" }, "devDependencies": { "ms": "2.1.3" } }' > package.json
"${npm[@]}" install --silent --ignore-scripts || exit 2
"${npm[@]}" --version
bill=$("${npm[@]}" sbom --omit dev --sbom-format cyclonedx | grep -o 'pkg:npm/[^"]*' | sort -u)
spdx=$("${npm[@]}" sbom --omit dev --sbom-format spdx | grep -o 'pkg:npm/[^"]*' | sort -u)
listed=$("${npm[@]}" ls --omit dev --all)
"${npm[@]}" ci --silent --ignore-scripts --omit dev
echo "installed: $(ls node_modules | tr '\n' ' ')"; echo "$listed"; echo "in the bill: $bill"
[ -d node_modules/ms ] && grep -q 'ms@2.1.3' <<<"$listed" || exit 2
! grep -q '/ms@' <<<"$bill" && ! grep -q '/ms@' <<<"$spdx"
