#!/bin/sh
# Debian's mail, chat and browser programmes that the agent is tried against: real servers, started by the tests
# themselves on loopback. Without root or apt nothing is done, and the tests that need them are skipped, saying so.
set -eu
packages="dovecot-imapd dovecot-lmtpd opensmtpd prosody chromium"
missing=""
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not installed:$missing (needs root and apt); the tests against them are skipped" >&2
    exit 0
fi
# The packages would start their services; the tests start their own, with configurations of their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || true
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null || echo "could not install:$missing" >&2
