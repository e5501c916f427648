#!/bin/sh
# Ends the peers and the tracker that were started, and nothing else. Options are those of `minibit stop`; MINIBIT names another program than the one in the PATH.
exec "${MINIBIT:-minibit}" stop "$@"
