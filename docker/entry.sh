#!/bin/sh
# What the images run: shelfwise, in the place of this script, so that it gets the container's signals itself.
#
# Compiled kernels come with the image. numba reads them where it also writes, and the image may be read-only:
# so they are copied to a folder that is not (a tmpfs, or a volume that keeps what another processor needs).
set -eu
if [ ! -d "$NUMBA_CACHE_DIR" ] || [ -z "$(ls -A "$NUMBA_CACHE_DIR")" ]; then
  mkdir -p "$NUMBA_CACHE_DIR" && cp -r /opt/shelfwise/kernels/. "$NUMBA_CACHE_DIR" || {
    echo "$NUMBA_CACHE_DIR has to be writable: run with --tmpfs /tmp, or mount a volume there" >&2
    exit 1
  }
fi
exec shelfwise "$@"
