#!/bin/sh
# Bring a Chromium for the browser tests where that can be done without asking; say how otherwise.
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
[ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium for the browser tests …"
  if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; then
    exit 0
  fi >/dev/null 2>&1
fi
echo "No Chromium: the browser tests will be skipped. To run them:" >&2
echo "  sudo apt-get install chromium   # macOS: brew install --cask google-chrome" >&2
