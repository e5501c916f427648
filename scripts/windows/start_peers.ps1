# Starts the peers of a split file in the background. Options are those of `minibit start peers`; $env:MINIBIT names another program than the one in the PATH.
$minibit = if ($env:MINIBIT) { $env:MINIBIT } else { 'minibit' }
& $minibit start peers @args
exit $LASTEXITCODE
