#!/bin/sh
# Starts the tracker in the background. Options are those of `minibit start tracker`; MINIBIT names another program than the one in the PATH.
exec "${MINIBIT:-minibit}" start tracker "$@"
