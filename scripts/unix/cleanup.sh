#!/bin/sh
# Removes what split and start left behind, and only that. Options are those of `minibit cleanup`; MINIBIT names another program than the one in the PATH.
exec "${MINIBIT:-minibit}" cleanup "$@"
