# Starts the tracker in the background. Options are those of `minibit start tracker`; $env:MINIBIT names another program than the one in the PATH.
$minibit = if ($env:MINIBIT) { $env:MINIBIT } else { 'minibit' }
& $minibit start tracker @args
exit $LASTEXITCODE
