# Ends the peers and the tracker that were started, and nothing else. Options are those of `minibit stop`; $env:MINIBIT names another program than the one in the PATH.
$minibit = if ($env:MINIBIT) { $env:MINIBIT } else { 'minibit' }
& $minibit stop @args
exit $LASTEXITCODE
