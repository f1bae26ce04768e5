#!/bin/sh
# The health check of ingest, search, duplicates and producer: `live` asks whether a restart would help, `ready` (the
# default) whether the part can do its work. The part writes this file every few seconds: empty while it is ready, with
# a sentence while it is not (lookalike/system/alive_file.py). If the file is old, the part is dead or hung.
if [ -z "$(find "$LOOKALIKE_ALIVE_FILE" -mmin -0.5 2>/dev/null)" ]; then
  echo "no sign of life for half a minute"
  exit 1
fi
if [ "$1" != live ] && [ -s "$LOOKALIKE_ALIVE_FILE" ]; then
  cat "$LOOKALIKE_ALIVE_FILE"
  exit 1
fi
