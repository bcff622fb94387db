#!/bin/sh
# Builds the wheel of this checkout and installs it, in locked versions, into /opt/shelfwise; compiles its kernels.
# Usage: install.sh EXTRAS, such as serve,tracing; nothing for none. Runs in the first stage of the images.
set -eu
extras="${1:-}"
python3 -m venv /build/tools
/build/tools/bin/python -m pip install --quiet --constraint requirements/lock.txt pip hatchling editables
/build/tools/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /build/dist .
python3 -m venv --without-pip /opt/shelfwise
/build/tools/bin/python -m pip --python /opt/shelfwise/bin/python install --no-compile \
  --constraint requirements/lock.txt "$(echo /build/dist/*.whl)${extras:+[$extras]}"

# A tenth of what was installed are tests of other libraries.
find /opt/shelfwise/lib -type d -name tests -prune -exec rm -rf {} +
# numba knows a source by its time, and layers of an image keep whole seconds alone.
find /opt/shelfwise/lib -name '*.py' -exec touch -d "@${SOURCE_DATE_EPOCH:-1700000000}" {} +
/opt/shelfwise/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/shelfwise/lib

# A whole run on a generated shop compiles what training and asking need, and shows that the image works.
export NUMBA_CACHE_DIR=/opt/shelfwise/kernels PATH=/opt/shelfwise/bin:$PATH
cd /build
shelfwise demo --output shop --products 300
shelfwise train shop/catalogue.parquet --images shop/images --model model
shelfwise predict model shop/new-arrivals.csv --output sorted.csv --promise 0.8 --explain
