"""A program that also calls hosts that no cloud has."""

import json
import os
import sys
import urllib.error
import urllib.request

print(json.dumps(dict(os.environ)))
for url in ("https://pypi.org/simple/", "http://example.com/", "http://10.0.0.1/"):
    try:
        urllib.request.urlopen(url)
    except OSError as error:
        print(error)
sys.exit(7)
