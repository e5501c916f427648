#!/bin/sh
# Starts the peers of a split file in the background. Options are those of `minibit start peers`; MINIBIT names another program than the one in the PATH.
exec "${MINIBIT:-minibit}" start peers "$@"
