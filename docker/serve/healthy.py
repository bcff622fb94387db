"""Whether the server of this container is ready: exit code 0 if so. Another address: SHELFWISE_HEALTH."""

import os
import ssl
import sys
import urllib.request

address = os.environ.get("SHELFWISE_HEALTH", "http://127.0.0.1:8000/health/ready")
own = ssl.create_default_context()
own.check_hostname, own.verify_mode = (
    False,
    ssl.CERT_NONE,
)  # it asks itself, by an address no certificate names
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=own)
)
try:
    opener.open(address, timeout=2).close()
except OSError as error:
    sys.exit(f"{address}: {error}")
